//! What reaches the console from its terminal and from whoever started it, as one stream.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use futures::stream::{self, Stream, StreamExt as _};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::tui::input::{Input, Parser};

/// Bytes that are read at once.
const PIECE: usize = 4 * 1024;
/// Pieces that may wait to be understood.
const PIECES: usize = 16;

/// The terminal whose keys are read: standard input, or the one that this process belongs to.
pub(super) fn keyboard() -> io::Result<File> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned().map(File::from);
    }
    File::open("/dev/tty")
}

/// The signals that ask for something other than leaving. The handlers stand before this returns.
pub(super) fn signals() -> io::Result<impl Stream<Item = io::Result<Input>> + Unpin> {
    let kinds = [
        (SignalKind::from_raw(Signal::TSTP.as_raw()), Input::Stop),
        (SignalKind::from_raw(Signal::CONT.as_raw()), Input::Continued),
        (SignalKind::window_change(), Input::Redraw),
    ];
    let listened = kinds.into_iter().map(|(kind, input)| Ok((signal(kind)?, input)));
    let mut signals = listened.collect::<io::Result<Vec<_>>>()?;
    Ok(stream::poll_fn(move |context| {
        let arrived = signals
            .iter_mut()
            .find_map(|(signal, input)| signal.poll_recv(context).is_ready().then(|| Ok(input.clone())));
        arrived.map_or(std::task::Poll::Pending, |input| std::task::Poll::Ready(Some(input)))
    }))
}

/// What is typed and pasted. Ends with an error when the terminal is gone.
pub(super) fn keys(keyboard: File) -> impl Stream<Item = io::Result<Input>> + Unpin {
    let (sender, pieces) = mpsc::channel(PIECES);
    // A thread of its own, since a terminal can only be read by waiting; it ends with the process.
    std::thread::spawn(move || read(keyboard, &sender));
    let keys = Keys { pieces, parser: Parser::default(), ready: VecDeque::new() };
    stream::unfold(keys, |mut keys| async move { Some((keys.next().await?, keys)) }).boxed()
}

type Piece = io::Result<Zeroizing<Vec<u8>>>;

fn read(mut keyboard: File, sender: &mpsc::Sender<Piece>) {
    let mut buffer = Zeroizing::new([0; PIECE]);
    loop {
        let piece = match keyboard.read(&mut *buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Zeroizing::new(buffer[..count].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let over = piece.is_err();
        if sender.blocking_send(piece).is_err() || over {
            return;
        }
    }
}

struct Keys {
    pieces: mpsc::Receiver<Piece>,
    parser: Parser,
    ready: VecDeque<Input>,
}

impl Keys {
    async fn next(&mut self) -> Option<io::Result<Input>> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Some(Ok(input));
            }
            let piece = match self.parser.patience() {
                None => self.pieces.recv().await,
                Some(patience) => {
                    let Ok(piece) = timeout(patience, self.pieces.recv()).await else {
                        self.ready.extend(self.parser.give_up());
                        continue;
                    };
                    piece
                }
            };
            match piece? {
                Ok(bytes) => self.ready.extend(self.parser.feed(&bytes)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
