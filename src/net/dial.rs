//! The steps to a connection: look the name up, connect to one of its addresses, agree on TLS.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::error::{DialError, Step, is_absent, plain, seconds};
use super::public::Allowed;
use super::resolver::Resolver;
use super::tls::Tls;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// TCP or TLS, as one type.
pub type Connection = Box<dyn Stream>;

pub struct Host<'a> {
    /// As a URL writes it: an IPv6 address in brackets.
    pub name: &'a str,
    pub port: u16,
    pub allowed: Allowed,
    /// `None` means plain TCP.
    pub tls: Option<&'a Tls>,
}

/// When the time for all the steps is over.
#[derive(Clone, Copy)]
pub struct Deadline {
    pub at: Instant,
    /// How long that was from the beginning, to be told.
    pub after: Duration,
    /// For one address at most.
    each: Duration,
}

impl Deadline {
    /// `each` is for one of several addresses at most, so that a silent one costs little.
    pub fn from_now(after: Duration, each: Duration) -> Self {
        Self { at: Instant::now() + after, after, each }
    }

    async fn keep<T>(self, step: Step, work: impl Future<Output = T>) -> Result<T, DialError> {
        timeout_at(self.at, work).await.map_err(|_| self.over(step))
    }

    fn over(self, step: Step) -> DialError {
        DialError::TimedOut { step, after: self.after }
    }

    /// When the next of these many addresses has had its share of the time that is left.
    fn of_next(self, addresses: usize, now: Instant) -> Instant {
        let addresses = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
        now + self.each.min(self.at.saturating_duration_since(now) / addresses)
    }
}

pub async fn dial(host: &Host<'_>, resolver: &Resolver, by: Deadline) -> Result<Connection, DialError> {
    Ok(dial_telling(host, resolver, by).await?.0)
}

/// The same, with the address that was reached.
pub async fn dial_telling(
    host: &Host<'_>,
    resolver: &Resolver,
    by: Deadline,
) -> Result<(Connection, Option<SocketAddr>), DialError> {
    let name = host.name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = by.keep(Step::NameLookup, resolver.look_up(name.clone(), host.port)).await?;
    let found =
        found.map_err(|error| DialError::NameUnresolved { why: plain(&error), is_absent: is_absent(&error) })?;
    let tcp = connect(&host.allowed.among(&found)?, by).await?;
    let peer = tcp.peer_addr().ok();
    let connection: Connection = match host.tls {
        Some(tls) => Box::new(by.keep(Step::TlsHandshake, tls.handshake(name, tcp)).await??),
        None => Box::new(tcp),
    };
    Ok((connection, peer))
}

/// One address after the other; what is told is why there is no connection to the last.
async fn connect(addresses: &[SocketAddr], by: Deadline) -> Result<TcpStream, DialError> {
    let mut why = "the name has no address".to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let until = by.of_next(addresses.len() - index, Instant::now());
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests that wait for each other: collecting them would cost a round trip each.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = plain(&error),
            Err(_) if until >= by.at => return Err(by.over(Step::TcpConnection)),
            Err(_) => why = format!("no answer within {}", seconds(by.each)),
        }
    }
    Err(DialError::Unreachable { why })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    fn deadline(after: u64, each: u64) -> (Instant, Deadline) {
        let by = Deadline::from_now(Duration::from_millis(after), Duration::from_millis(each));
        (by.at - by.after, by)
    }

    #[test]
    fn an_address_gets_its_share_of_the_time_and_no_more_than_one_may_take() {
        let (began, by) = deadline(10_000, 4_000);
        let share = |addresses| by.of_next(addresses, began) - began;
        assert_eq!([1, 2, 4].map(share), [4_000, 4_000, 2_500].map(Duration::from_millis));
    }

    #[test]
    fn the_last_address_has_the_time_that_is_left_when_one_may_take_all() {
        let (began, by) = deadline(3_000, 3_000);
        assert_eq!(by.of_next(1, began + Duration::from_millis(1_700)), by.at);
    }

    #[test]
    fn when_the_time_is_over_no_address_gets_more() {
        let (_, by) = deadline(3_000, 3_000);
        let later = by.at + Duration::from_millis(1);
        assert_eq!(by.of_next(2, later), later);
    }

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_keep_the_next_one_from_being_tried() {
        let (closed, refusing) = listening().await;
        drop(closed);
        let (_open, taking) = listening().await;
        let (_, by) = deadline(5_000, 5_000);
        assert_eq!(connect(&[refusing, taking], by).await.unwrap().peer_addr().unwrap(), taking);
        let refused = DialError::Unreachable { why: "connection refused".to_owned() };
        assert_eq!(connect(&[refusing], by).await.unwrap_err(), refused);
    }

    #[tokio::test]
    async fn a_name_without_an_address_leads_nowhere() {
        let nowhere = DialError::Unreachable { why: "the name has no address".to_owned() };
        assert_eq!(connect(&[], deadline(5_000, 5_000).1).await.unwrap_err(), nowhere);
    }
}
