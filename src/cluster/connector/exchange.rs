//! One request and its answer (HTTP/1.1, RFC 9110 and 9112) on a connection that is made for it and dropped with it.

use std::error::Error;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Body as _, Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::{
    capped::{Capped, TooMuch},
    failure::Failure,
};
use crate::domain::{key_source::FetchError, retry_after};

/// Largest body, in bytes.
pub const MAX_BODY: usize = 512 * 1024;

/// Largest head of an answer (status line and headers), in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most that is read of an answer, in bytes: interim answers, heads, and a body in small chunks, whose framing is counted too.
pub const MAX_READ: usize = 4 * MAX_BODY;

/// The body of the answer to a GET of this URL.
///
/// # Errors
/// Whatever is not status 200 with a body of at most [`MAX_BODY`] bytes and no Content-Encoding.
pub async fn exchange<S>(stream: S, url: &Url) -> Result<Vec<u8>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
    let stream = TokioIo::new(Capped::new(stream, MAX_READ));
    let (mut sender, connection) = builder.handshake(stream).await.map_err(|_| FetchError::Unreachable)?;
    let exchange = async {
        let response = sender.send_request(request(url)?).await.map_err(|_| FetchError::Unreachable)?;
        judge(response.status(), response.headers())?;
        Ok(body(response).await?)
    };
    tokio::pin!(connection);
    // The connection is driven beside the exchange and dropped with it: nothing outlives a fetch.
    tokio::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        _ = &mut connection => exchange.await,
    }
}

/// Whether the body is worth reading. An encoding is refused whatever it is called: `identity` is not to be sent
/// (RFC 9110, section 8.4).
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    let error = match status {
        StatusCode::OK if headers.contains_key(header::CONTENT_ENCODING) => return Err(FetchError::Encoded.into()),
        StatusCode::OK => return Ok(()),
        _ if status.is_redirection() => FetchError::Redirect(status.as_u16()),
        _ => FetchError::UnexpectedStatus(status.as_u16()),
    };
    let retry_after = headers.get(header::RETRY_AFTER);
    Err(Failure {
        error,
        retry_after: retry_after.and_then(|value| retry_after::parse(value.as_bytes(), Timestamp::now())),
    })
}

/// Read into one place as it comes: many fetches at a time may each have the largest one.
async fn body(response: Response<Incoming>) -> Result<Vec<u8>, FetchError> {
    let mut body = response.into_body();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(FetchError::BodyTooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let cut = |error| if is_too_much(&error) { FetchError::BodyTooLarge } else { FetchError::Unreachable };
        let frame = frame.map_err(cut)?;
        let data = frame.data_ref().map_or(&[][..], AsRef::as_ref);
        if data.len() > MAX_BODY.saturating_sub(bytes.len()) {
            return Err(FetchError::BodyTooLarge);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

/// Whether the connection's bound is what ended it.
fn is_too_much(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.filter_map(|error| error.downcast_ref::<std::io::Error>()).any(|error| {
        let inner: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
        inner.is_some_and(<dyn Error>::is::<TooMuch>)
    })
}

/// All that is sent. Nothing of it tells who or where the operator is, but its version.
fn request(url: &Url) -> Result<Request<Empty<Bytes>>, FetchError> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(FetchError::Unreachable),
    };
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::get(target)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        // Without it any encoding would be welcome (RFC 9110, section 12.5.3).
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("idp-operator/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| FetchError::Unreachable)
}
