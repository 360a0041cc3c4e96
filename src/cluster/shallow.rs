//! JSON from the API server, cut off where it is nested too deep to be read, and without `managedFields`.
//!
//! What a user may nest without end, such as the claims of an example, nests in `metadata.managedFields` as well. Beyond
//! 127 levels `serde_json` gives up, and with it a whole list or watch: one object would stop the work on all of them.
//! Nobody here reads `managedFields`, which take many times their text in memory.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Bytes};
use kube::client::Body;
use tower::{Layer, Service};

/// Deepest level that is kept. Objects that mean something to us have about ten.
const MAX_DEPTH: usize = 100;

/// The member that nobody reads.
const UNREAD: &[u8] = b"managedFields";

/// Deepest level of [`UNREAD`]: in `metadata` of an object in a list. What a user may name so is deeper.
const UNREAD_DEPTH: usize = 4;

/// What stands for a value that is not kept.
const CUT_OFF: &[u8] = b"null";

/// Cuts off what is nested too deep in each answer, and leaves out [`UNREAD`].
pub struct ShallowLayer;

impl<S> Layer<S> for ShallowLayer {
    type Service = Shallow<S>;

    fn layer(&self, inner: S) -> Shallow<S> {
        Shallow { inner }
    }
}

/// A service with [`ShallowLayer`].
pub struct Shallow<S> {
    inner: S,
}

impl<S, B> Service<Request<Body>> for Shallow<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, B::Error>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.inner.call(request);
        Box::pin(async move { response.await.map(cut_off) })
    }
}

fn cut_off<B>(response: Response<B>) -> Response<UnsyncBoxBody<Bytes, B::Error>>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let content_type = response.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if !content_type.starts_with(b"application/json") {
        return response.map(BodyExt::boxed_unsync);
    }
    let mut cutter = Cutter::default();
    response.map(|body| body.map_frame(move |frame| frame.map_data(|data| cutter.cut(data))).boxed_unsync())
}

/// Where in a stream of JSON documents one is.
#[derive(Default)]
struct Cutter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// So much of the string is as [`UNREAD`] begins; nothing, where it differs.
    like_unread: Option<usize>,
    /// The value is at this level that belongs to [`UNREAD`].
    unread: Option<usize>,
}

impl Cutter {
    /// What is kept of the next bytes. All answers pass here: strings, which are most of them, are passed as a whole, and
    /// what is kept is copied as a whole.
    fn cut(&mut self, data: Bytes) -> Bytes {
        let slice = |from: usize, to: usize| data.get(from..to).unwrap_or_default();
        // Nothing is copied as long as nothing is cut off.
        let mut kept = (!self.keeps()).then(Vec::new);
        let (mut copied, mut position) = (0, 0);
        while let Some(byte) = data.get(position) {
            if self.in_string && !self.escaped {
                let rest = slice(position, data.len());
                let text = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
                if text > 0 {
                    self.pass_text(slice(position, position + text));
                    position += text;
                    continue;
                }
            }
            let kept_before = self.keeps();
            self.pass(*byte);
            match (kept_before, self.keeps()) {
                (true, false) => {
                    let kept = kept.get_or_insert_with(|| Vec::with_capacity(data.len()));
                    kept.extend_from_slice(slice(copied, position));
                    kept.extend_from_slice(CUT_OFF);
                }
                (false, true) => copied = position + 1,
                _ => {}
            }
            position += 1;
        }
        let Some(mut kept) = kept else { return data };
        if self.keeps() {
            kept.extend_from_slice(slice(copied, data.len()));
        }
        Bytes::from(kept)
    }

    fn keeps(&self) -> bool {
        self.depth <= self.unread.unwrap_or(MAX_DEPTH)
    }

    fn pass(&mut self, byte: u8) {
        if self.in_string {
            self.pass_mark(byte);
            return;
        }
        let is_unread = self.like_unread == Some(UNREAD.len()) && self.depth <= UNREAD_DEPTH;
        match byte {
            b':' | b' ' | b'\n' | b'\r' | b'\t' => return,
            b'"' => {
                self.in_string = true;
                self.like_unread = Some(0);
                return;
            }
            b'{' | b'[' => {
                if is_unread && self.unread.is_none() {
                    self.unread = Some(self.depth);
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.unread = self.unread.filter(|level| self.depth > *level);
            }
            _ => {}
        }
        self.like_unread = None;
    }

    /// Within a string: an escaped byte, a backslash, or its end.
    fn pass_mark(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
            self.like_unread = None;
        } else {
            self.in_string = false;
        }
    }

    /// Within a string: neither a backslash nor its end.
    fn pass_text(&mut self, text: &[u8]) {
        let is_like = |at: &usize| UNREAD.get(*at..).is_some_and(|rest| rest.starts_with(text));
        self.like_unread = self.like_unread.filter(is_like).map(|at| at + text.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};
    use serde_json::{Value, json};

    use super::*;

    /// Passes a text on in frames that end at these places.
    fn cut(text: &str, ends: &[Index]) -> String {
        let mut ends: Vec<usize> = ends.iter().map(|end| end.index(text.len() + 1)).collect();
        ends.extend([0, text.len()]);
        ends.sort_unstable();
        let mut cutter = Cutter::default();
        let frames = ends.windows(2).map(|pair| Bytes::copy_from_slice(&text.as_bytes()[pair[0]..pair[1]]));
        let kept: Vec<u8> = frames.flat_map(|frame| cutter.cut(frame)).collect();
        String::from_utf8(kept).unwrap()
    }

    fn nested(depth: usize, inside: &str) -> String {
        format!("{}{inside}{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth))
    }

    /// Any value, with brackets, quotes and backslashes in its strings.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            r#"[\[\]{}"\\a]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 30, 4, |inner| {
            let entry = (r#"[\[\]{}"\\a]{0,3}"#, inner.clone());
            prop_oneof![
                vec(inner, 0..4).prop_map(Value::from),
                vec(entry, 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// The same by recursion: `depth` levels are left.
    fn pruned(value: Value, depth: usize) -> Value {
        match value {
            Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
            Value::Array(values) => values.into_iter().map(|value| pruned(value, depth - 1)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, pruned(value, depth - 1))).collect()
            }
            leaf => leaf,
        }
    }

    #[test]
    fn the_hundredth_level_is_kept_and_no_further_one() {
        assert_eq!(cut(&nested(50, ""), &[]), nested(50, ""));
        assert_eq!(cut(&nested(50, r#""x",{"b":[1]},2"#), &[]), nested(50, r#""x",null,2"#));
        assert_eq!(cut(&nested(100_000, ""), &[]), nested(50, "null"));
    }

    #[test]
    fn what_was_cut_off_can_be_read() {
        let objects = [json!({ "a": 1 }).to_string(), nested(5000, "[]"), json!([2]).to_string()].join("\n");
        let cut = cut(&objects, &[]);
        let read: Vec<Value> = serde_json::Deserializer::from_str(&cut).into_iter().map(Result::unwrap).collect();
        assert_eq!((&read[0], &read[2], read.len()), (&json!({ "a": 1 }), &json!([2]), 3));
        assert!(serde_json::from_str::<Value>(&objects).is_err());
    }

    #[test]
    fn what_nobody_reads_is_left_out_of_an_object_a_list_and_an_event() {
        let object =
            |fields: Value| json!({ "metadata": { "managedFields": fields, "name": "managedFields" }, "spec": [1] });
        let fields = json!([{ "manager": "\"]}[", "fieldsV1": { "f:a": { "managedFields": [{}] } } }, []]);
        let lists = |object: Value| {
            [json!({ "items": [object, object] }), json!({ "type": "ADDED", "object": object }), object.clone()]
        };
        for (is, expected) in lists(object(fields)).into_iter().zip(lists(object(Value::Null))) {
            assert_eq!(cut(&is.to_string(), &[]), expected.to_string());
            let pretty = serde_json::to_string_pretty(&is).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&cut(&pretty, &[])).unwrap(), expected);
        }
        // Not a value, not another name, and not what is the user's own.
        for kept in [
            r#"["managedFields",[1]]"#,
            r#"{"managedFields":1,"a":[1],"xmanagedFields":[1],"managedFieldsx":[1],"managedField\u0073":[1]}"#,
            r#"{"items":[{"spec":{"examples":[{"claims":{"managedFields":[1]}}]}}]}"#,
            r#"{"spec":{"examples":[{"claims":{"managedFields":[1]}}]}}"#,
        ] {
            assert_eq!(cut(kept, &[]), kept);
        }
    }

    #[test]
    fn what_is_not_cut_is_not_copied() {
        let data = Bytes::from(nested(50, "1"));
        let kept = Cutter::default().cut(data.clone());
        assert_eq!(kept.as_ptr(), data.as_ptr());
    }

    proptest! {
        #[test]
        fn it_is_cut_alike_however_it_is_split(
            value in values(), level in 90..104_usize, ends in vec(any::<Index>(), 0..6),
        ) {
            let wrap = |value: Value, level: usize| (0..level).fold(value, |value, _| json!([value]));
            let text = format!("{}{value}{}", "[".repeat(level), "]".repeat(level));
            let expected = if level > MAX_DEPTH {
                wrap(Value::Null, MAX_DEPTH)
            } else {
                wrap(pruned(value, MAX_DEPTH - level), level)
            };
            prop_assert_eq!(cut(&text, &ends), expected.to_string());
        }
    }
}
