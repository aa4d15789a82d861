//! Refusals in the provider's words.

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use s3s::{S3Error, S3ErrorCode};

use super::fault::Dialect;

/// Characters of an R2 key id.
pub const KEY_ID_LENGTH: usize = 32;

fn refusal(status: StatusCode, code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(status);
    error
}

/// Nobody has this key, or nobody has it any more.
pub fn unknown_key(dialect: Dialect, id: &str) -> S3Error {
    match dialect {
        Dialect::Garage => refusal(StatusCode::FORBIDDEN, "AccessDenied", format!("Forbidden: No such key: {id}")),
        Dialect::R2 => refusal(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"),
        Dialect::Aws => refusal(
            StatusCode::FORBIDDEN,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
    }
}

/// The key id cannot be one of R2's.
pub fn wrong_length(length: usize) -> S3Error {
    let message = format!("Credential access key has length {length}, should be {KEY_ID_LENGTH}");
    refusal(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}

/// No signature at all.
pub fn unsigned(dialect: Dialect) -> S3Error {
    match dialect {
        Dialect::R2 => refusal(StatusCode::BAD_REQUEST, "InvalidArgument", "Authorization"),
        Dialect::Aws => access_denied(dialect),
        Dialect::Garage => {
            refusal(StatusCode::FORBIDDEN, "AccessDenied", "Forbidden: Garage does not support anonymous access yet")
        }
    }
}

/// The signature is another one than the key's, as Garage says it.
pub fn invalid_signature() -> S3Error {
    refusal(StatusCode::FORBIDDEN, "AccessDenied", "Forbidden: Invalid signature")
}

/// A signature of version 2.
pub fn outdated_signature() -> S3Error {
    let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
    refusal(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}

/// The key may not do this.
pub fn access_denied(dialect: Dialect) -> S3Error {
    let message = match dialect {
        Dialect::R2 | Dialect::Aws => "Access Denied",
        Dialect::Garage => "Forbidden: Operation is not allowed for this key.",
    };
    refusal(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// No bucket of this name.
pub fn no_such_bucket() -> S3Error {
    refusal(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist.")
}

/// No object of this name.
pub fn no_such_key() -> S3Error {
    refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

/// No upload of this id.
pub fn no_such_upload() -> S3Error {
    refusal(StatusCode::NOT_FOUND, "NoSuchUpload", "The specified multipart upload does not exist.")
}

/// The subscription has lapsed.
pub fn not_entitled() -> S3Error {
    refusal(StatusCode::FORBIDDEN, "NotEntitled", "Please enable R2 through the Cloudflare Dashboard.")
}

/// The request was signed at another time than now.
pub fn too_skewed() -> S3Error {
    let message = "The difference between the request time and the server's time is too large.";
    refusal(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", message)
}

/// The signature is older than it may be.
pub fn expired() -> S3Error {
    refusal(StatusCode::BAD_REQUEST, "ExpiredRequest", "Request has expired.")
}

/// The part asked for is not in the object.
pub fn invalid_range() -> S3Error {
    refusal(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable")
}

/// An argument has a value that it cannot have.
pub fn invalid_argument(message: &'static str) -> S3Error {
    refusal(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}

/// A request that real stores answer and this one does not.
pub fn not_implemented(what: &'static str) -> S3Error {
    refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", what)
}

/// The body is not what a digest in the request says.
pub fn bad_digest() -> S3Error {
    let message = "The Content-MD5 or checksum you specified did not match what we received.";
    refusal(StatusCode::BAD_REQUEST, "BadDigest", message)
}

/// The body is not what was signed.
pub fn bad_payload() -> S3Error {
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    refusal(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", message)
}

/// The body ended too early or too late.
pub fn incomplete_body() -> S3Error {
    let message = "The request body does not have the number of bytes that Content-Length says.";
    refusal(StatusCode::BAD_REQUEST, "IncompleteBody", message)
}

/// The object is larger than the sandbox takes.
pub fn too_large(limit: usize) -> S3Error {
    let message = format!("The sandbox takes objects of up to {limit} bytes.");
    refusal(StatusCode::BAD_REQUEST, "EntityTooLarge", message)
}

/// The sandbox has no room for more.
pub fn no_room() -> S3Error {
    let message = "The sandbox has no room for more objects: delete some.";
    refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
}

/// Too many requests.
pub fn throttled() -> S3Error {
    let message = "Reduce your concurrent request rate for the same object.";
    let mut error = refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    error.set_headers(headers);
    error
}

/// The provider's own failure.
pub fn internal_error() -> S3Error {
    let message = "We encountered an internal error. Please try again.";
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}

/// The provider is down or overloaded.
pub fn unavailable(dialect: Dialect) -> S3Error {
    let (code, message) = match dialect {
        Dialect::R2 | Dialect::Garage => ("ServiceUnavailable", "Service is temporarily unavailable."),
        Dialect::Aws => ("SlowDown", "Please reduce your request rate."),
    };
    refusal(StatusCode::SERVICE_UNAVAILABLE, code, message)
}
