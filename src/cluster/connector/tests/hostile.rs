//! Answers that are made to harm. The clock stands still but for what is waited for, so that ten seconds take none.

use tokio::time::Instant;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// What comes of an answer, after how many seconds.
async fn get(answer: Answer) -> (Result<Vec<u8>, Failure>, u64, usize) {
    let server = Server::start(answer);
    let start = Instant::now();
    let result = allowing("127.0.0.0/8").get(&server.url("http"), &Trust::System).await;
    (result, start.elapsed().as_secs(), server.taken.load(Ordering::SeqCst))
}

async fn all_come_to(seconds: u64, table: Vec<(&str, Answer, FetchError)>) {
    for (name, answer, error) in table {
        let (result, after, _) = get(answer).await;
        assert_eq!((result, after), (failure(error), seconds), "{name}");
    }
}

fn text(parts: &[&str]) -> Vec<u8> {
    parts.concat().into_bytes()
}

#[tokio::test(start_paused = true)]
async fn who_is_too_slow_is_left_after_ten_seconds_whatever_comes_meanwhile() {
    use Answer::{Drip, Stall};
    let unreachable = FetchError::Unreachable;
    let table = vec![
        ("silence", Stall(Vec::new()), unreachable),
        ("no end of the head", Stall(text(&[OK, "content-length: 4\r\n"])), unreachable),
        ("a head, byte by byte", Drip(text(&[OK]), text(&["x-a: b\r\n"])), unreachable),
        ("a status line, byte by byte", Drip(text(&["HTTP/1.1 200 "]), text(&["O"])), unreachable),
        ("interim answers, byte by byte", Drip(Vec::new(), text(&["HTTP/1.1 103 Early Hints\r\n\r\n"])), unreachable),
        ("a body, byte by byte", Drip(text(&[OK, "content-length: 500\r\n\r\n"]), text(&["a"])), unreachable),
        ("a body without length, byte by byte", Drip(text(&[OK, "\r\n"]), text(&["a"])), unreachable),
        ("chunks, byte by byte", Drip(text(&[CHUNKED]), text(&["1\r\na\r\n"])), unreachable),
        ("less than announced", Stall(text(&[OK, "content-length: 5\r\n\r\nkeys"])), unreachable),
        ("no last chunk", Stall(text(&[CHUNKED, "4\r\nkeys\r\n"])), unreachable),
    ];
    all_come_to(10, table).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_proper_answer_ends_a_fetch_at_once() {
    use Answer::Whole;
    let unreachable = FetchError::Unreachable;
    let many = "a: b\r\n".repeat(200);
    let long = format!("a: {}\r\n", "b".repeat(1 << 20));
    let reason = format!("HTTP/1.1 200 {}\r\n\r\n", "b".repeat(1 << 20));
    let table = vec![
        ("nothing", Whole(Vec::new()), unreachable),
        ("another protocol", Whole(text(&["SSH-2.0-OpenSSH_9.9\r\n"])), unreachable),
        ("HTTP/0.9", Whole(text(&["{\"keys\":[]}"])), unreachable),
        ("HTTP/2", Whole(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d".to_vec()), unreachable),
        ("HTTP/2.0", Whole(text(&["HTTP/2.0 200 OK\r\ncontent-length: 4\r\n\r\nkeys"])), unreachable),
        ("a status of four digits", Whole(text(&["HTTP/1.1 2000 OK\r\n\r\n"])), unreachable),
        ("200 headers", Whole(text(&[OK, &many, "\r\nkeys"])), unreachable),
        ("a header of 1 MiB", Whole(text(&[OK, &long, "\r\nkeys"])), unreachable),
        ("a reason of 1 MiB", Whole(text(&[&reason])), unreachable),
        ("a folded header", Whole(text(&[OK, "a: b\r\n c\r\n\r\nkeys"])), unreachable),
        ("NUL in a header", Whole(text(&[OK, "a: \0\r\n\r\nkeys"])), unreachable),
        ("two lengths", Whole(text(&[OK, "content-length: 4\r\ncontent-length: 5\r\n\r\nkeys!"])), unreachable),
        ("a length below nothing", Whole(text(&[OK, "content-length: -1\r\n\r\nkeys"])), unreachable),
        (
            "a length beyond all numbers",
            Whole(text(&[OK, "content-length: 99999999999999999999\r\n\r\n"])),
            unreachable,
        ),
        ("cut short", Whole(text(&[OK, "content-length: 5\r\n\r\nkeys"])), unreachable),
        ("cut short in a chunk", Whole(text(&[CHUNKED, "5\r\nkeys"])), unreachable),
        ("no chunk size", Whole(text(&[CHUNKED, "x\r\nkeys"])), unreachable),
        ("a chunk size beyond all numbers", Whole(text(&[CHUNKED, "fffffffffffffffff\r\nkeys"])), unreachable),
        ("a chunk longer than its size", Whole(text(&[CHUNKED, "1\r\nkeys\r\n0\r\n\r\n"])), unreachable),
        ("no content", Whole(text(&["HTTP/1.1 204 No Content\r\n\r\n"])), FetchError::UnexpectedStatus(204)),
        ("status 999", Whole(text(&["HTTP/1.1 999 No\r\n\r\n"])), FetchError::UnexpectedStatus(999)),
        ("multiple choices", Whole(text(&["HTTP/1.1 300 No\r\n\r\n"])), FetchError::Redirect(300)),
        ("not modified", Whole(text(&["HTTP/1.1 304 No\r\n\r\n"])), FetchError::Redirect(304)),
        ("gzip", Whole(text(&[OK, "content-encoding: gzip\r\n\r\nkeys"])), FetchError::Encoded),
        ("identity", Whole(text(&[OK, "Content-Encoding: identity\r\n\r\nkeys"])), FetchError::Encoded),
        (
            "100 MB announced",
            Answer::Stall(text(&[OK, "content-length: 100000000\r\n\r\nkeys"])),
            FetchError::BodyTooLarge,
        ),
        ("an empty encoding", Whole(text(&[OK, "content-encoding:\r\n\r\nkeys"])), FetchError::Encoded),
    ];
    all_come_to(0, table).await;
}

#[tokio::test(start_paused = true)]
async fn interim_answers_are_passed_over_and_what_follows_the_body_is_not_read() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    let whole = |parts: &[&str]| Answer::Whole(text(parts));
    let table = [
        ("interim", whole(&[interim, OK, "content-length: 4\r\n\r\nkeys"])),
        ("more than announced", whole(&[OK, "content-length: 4\r\n\r\nkeys and more"])),
        ("a second answer", whole(&[OK, "content-length: 4\r\n\r\nkeys", OK, "content-length: 0\r\n\r\n"])),
        ("no length", whole(&[OK, "\r\nkeys"])),
        ("HTTP/1.0", whole(&["HTTP/1.0 200 OK\r\n\r\nkeys"])),
        ("no reason", whole(&["HTTP/1.1 200\r\n\r\nkeys"])),
        ("chunks", whole(&[CHUNKED, "2;a=b\r\nke\r\n002\r\nys\r\n0\r\ntrailer: x\r\n\r\n"])),
        (
            "chunks and a length",
            whole(&[OK, "content-length: 999\r\n", &CHUNKED[OK.len()..], "4\r\nkeys\r\n0\r\n\r\n"]),
        ),
        ("a connection that stays open", Answer::Stall(text(&[OK, "content-length: 4\r\n\r\nkeys"]))),
    ];
    for (name, answer) in table {
        assert_eq!(get(answer).await, (Ok(b"keys".to_vec()), 0, 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn reading_stops_soon_after_the_bounds() {
    let block = vec![b'a'; 64 * 1024];
    let chunk = [b"10000\r\n", &block[..], b"\r\n"].concat();
    let small_chunks = b"1\r\na\r\n".repeat(10_000);
    let interim = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1000);
    let zeros = vec![b'0'; 64 * 1024];
    let table = [
        ("100 MB announced", "content-length: 100000000\r\n\r\n", &block, FetchError::BodyTooLarge),
        ("no length", "\r\n", &block, FetchError::BodyTooLarge),
        ("chunks", "transfer-encoding: chunked\r\n\r\n", &chunk, FetchError::BodyTooLarge),
        ("small chunks", "transfer-encoding: chunked\r\n\r\n", &small_chunks, FetchError::BodyTooLarge),
        ("a chunk size without end", "transfer-encoding: chunked\r\n\r\n", &zeros, FetchError::BodyTooLarge),
        ("a header without end", "a: ", &block, FetchError::Unreachable),
    ];
    let table = table.map(|(name, head, block, error)| (name, text(&[OK, head]), block, error)).into_iter();
    let interim = ("interim answers", Vec::new(), &interim, FetchError::Unreachable);
    for (name, head, block, error) in table.chain([interim]) {
        let (result, after, taken) = get(Answer::Endless(head, block.clone())).await;
        assert_eq!((result, after), (failure(error), 0), "{name}");
        // What the kernel's buffers took was sent, but never read.
        assert!(taken < 16 << 20, "{name}: {taken} bytes");
    }
}

#[tokio::test]
async fn a_body_may_have_512_kibibytes_and_no_more() {
    for chunked in [false, true] {
        for (size, is_good) in [(MAX_BODY, true), (MAX_BODY + 1, false)] {
            let body = "a".repeat(size);
            let answer = if chunked {
                text(&[CHUNKED, &format!("{size:x}\r\n{body}\r\n0\r\n\r\n")])
            } else {
                text(&[OK, &format!("content-length: {size}\r\n\r\n{body}")])
            };
            let expected = if is_good { Ok(body.into_bytes()) } else { failure(FetchError::BodyTooLarge) };
            assert!(get(Answer::Whole(answer)).await.0 == expected, "{size} {chunked}");
        }
    }
}

#[tokio::test]
async fn a_head_may_have_64_kibibytes_and_no_more() {
    let fixed = [OK, "a: ", "\r\ncontent-length: 4\r\n\r\n"];
    let room = MAX_HEAD - fixed.concat().len();
    // It stands in one buffer, which has room for what follows, too.
    for (length, expected) in [(room - 8, Ok(b"keys".to_vec())), (room + 1, failure(FetchError::Unreachable))] {
        let answer = text(&[fixed[0], fixed[1], &"b".repeat(length), fixed[2], "keys"]);
        assert_eq!(get(Answer::Whole(answer)).await.0, expected, "{length}");
    }
}
