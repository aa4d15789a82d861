//! `author_*`: the transaction pool.

use std::sync::Arc;

use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::server::{PendingSubscriptionSink, RegisterMethodError, SubscriptionSink};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{Extensions, RpcModule};
use parity_scale_codec::Decode;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::subscriptions::send;
use super::{Answer, Bytes, HashHex};
use crate::sandbox::faults::Interruption;
use crate::sandbox::node::Node;
use crate::sandbox::pool::{Status, Watch};

/// Code of a submission that is no extrinsic at all, where it is to be watched and where not.
const BAD_FORMAT: i32 = 1001;
const OTHER_ERROR: i32 = 1040;

pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("author_submitExtrinsic", |params, node, _| submit(params, node))?;
    module.register_method("author_pendingExtrinsics", |_, node, _| {
        node.pending_extrinsics().into_iter().map(Bytes).collect::<Vec<_>>()
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        submit_and_watch,
    )?;
    Ok(())
}

/// The extrinsic in the only parameter, without its length; what follows it is nobody's.
fn opaque(params: &Params<'_>) -> Answer<Result<Vec<u8>, parity_scale_codec::Error>> {
    let bytes: Bytes = params.sequence().next()?;
    Ok(Vec::<u8>::decode(&mut bytes.0.as_slice()))
}

async fn submit(params: Params<'static>, node: Arc<Node>) -> Answer<HashHex> {
    let bytes = opaque(&params)?
        .map_err(|error| ErrorObjectOwned::owned(OTHER_ERROR, format!("Client error: {error}"), None::<()>))?;
    let (hash, interruption) = node.submit(&bytes, None)?;
    if interruption.is_some() {
        node.hang_up().await;
    }
    Ok(HashHex(hash))
}

async fn submit_and_watch(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    node: Arc<Node>,
    _: Extensions,
) -> SubscriptionResult {
    let (channel, statuses) = unbounded_channel();
    let taken = opaque(&params).and_then(|bytes| {
        let message = |error| format!("Extrinsic has invalid format: {error}");
        let bytes = bytes.map_err(|error| ErrorObjectOwned::owned(BAD_FORMAT, message(error), None::<()>))?;
        Ok(node.submit(&bytes, Some(Watch::new(channel)))?)
    });
    match taken {
        Ok((_, Some(Interruption::BeforeAnswer | Interruption::Swallowed))) => {
            node.hang_up().await;
            Ok(())
        }
        Ok((_, interruption)) => watch(&node, pending.accept().await?, statuses, interruption).await,
        Err(error) => {
            pending.reject(error).await;
            Ok(())
        }
    }
}

/// Tells every status until there is none left to come, or until the connection is lost on purpose.
async fn watch(
    node: &Node,
    sink: SubscriptionSink,
    mut statuses: UnboundedReceiver<Status>,
    interruption: Option<Interruption>,
) -> SubscriptionResult {
    loop {
        tokio::select! {
            status = statuses.recv() => {
                let Some(status) = status else { return Ok(()) };
                if interruption.is_some_and(|interruption| ends(interruption, status)) {
                    node.cut.after(last_words(&sink, status)?);
                }
                send(&sink, &status.to_json()).await?;
            }
            () = sink.closed() => return Ok(()),
        }
    }
}

const fn ends(interruption: Interruption, status: Status) -> bool {
    matches!(
        (interruption, status),
        (Interruption::AfterBroadcast, Status::Broadcast)
            | (Interruption::AfterInBlock, Status::InBlock(_))
            | (Interruption::AfterFinalized, Status::Finalized(_))
    )
}

/// The end of a notification as it goes over the wire.
fn last_words(sink: &SubscriptionSink, status: Status) -> Result<Vec<u8>, serde_json::Error> {
    let id = serde_json::to_string(&sink.subscription_id())?;
    Ok(format!("\"subscription\":{id},\"result\":{}}}}}", status.to_json()).into_bytes())
}
