//! Host names, each looked up once a run.
//!
//! The system's resolver can stall for seconds under parallel look-ups, so all requests to a host
//! share one, and a look-up that has not answered after a quarter of a second gets a rival.

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// When a look-up gets a rival.
const PATIENCE: Duration = Duration::from_millis(250);
/// How many look-ups of one name run at a time.
const RIVALS: u32 = 4;
/// When the last of them is given up.
const LIMIT: Duration = Duration::from_secs(15);

type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
type LookUp = Shared<BoxFuture<'static, Answer>>;

/// The look-ups of one run.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    known: Arc<Mutex<HashMap<String, LookUp>>>,
}

impl Hosts {
    async fn addresses(self, host: String) -> Answer {
        let answer = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let name = host.clone();
            known
                .entry(host.clone())
                .or_insert_with(move || look_up(name, system).boxed().shared())
                .clone()
        };
        let answer = answer.await;
        if answer.is_err() {
            // A later attempt asks anew.
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
        }
        answer
    }
}

impl Resolve for Hosts {
    fn resolve(&self, name: Name) -> Resolving {
        let hosts = self.clone();
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = hosts.addresses(host).await?;
            let addresses: Vec<SocketAddr> = found.to_vec();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn system(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

/// Asks the system, on threads of its own: one that stalls must not keep the program from ending.
async fn look_up(host: String, ask: fn(&str) -> io::Result<Vec<SocketAddr>>) -> Answer {
    let (answer, mut answers) = mpsc::unbounded_channel();
    for rival in 1..=RIVALS {
        let (host, answer) = (host.clone(), answer.clone());
        std::thread::Builder::new()
            .name("dmc-resolve".into())
            .spawn(move || {
                // Nobody listens any more where a rival was faster.
                let _ = answer.send(ask(&host));
            })
            .map_err(Arc::new)?;
        let patience = if rival == RIVALS { LIMIT } else { PATIENCE };
        if let Ok(Some(found)) = tokio::time::timeout(patience, answers.recv()).await {
            return found.map(Into::into).map_err(Arc::new);
        }
    }
    Err(Arc::new(io::Error::new(io::ErrorKind::TimedOut, format!("no answer for `{host}`"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_stalled_look_up_gets_a_rival() {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        fn first_stalls(_: &str) -> io::Result<Vec<SocketAddr>> {
            if CALLS.fetch_add(1, Ordering::SeqCst) > 0 {
                return Ok(vec![([127, 0, 0, 1], 0).into()]);
            }
            std::thread::sleep(Duration::from_secs(5));
            Err(io::ErrorKind::TimedOut.into())
        }
        let begun = std::time::Instant::now();
        let found = look_up("example".into(), first_stalls).await.unwrap();
        assert_eq!(found.len(), 1);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(CALLS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_host_is_looked_up_once() {
        let hosts = Hosts::default();
        let (a, b) = tokio::join!(
            hosts.clone().addresses("localhost".into()),
            hosts.clone().addresses("localhost".into())
        );
        assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
    }

    #[tokio::test]
    async fn a_failed_look_up_is_not_kept() {
        let hosts = Hosts::default();
        assert!(hosts.clone().addresses("no-such-host.invalid".into()).await.is_err());
        assert!(hosts.known.lock().unwrap().is_empty());
    }
}
