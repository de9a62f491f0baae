//! The body of a request, which tells when all of it was said: only then is its client waited for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::open::Progress;

/// A body that is watched.
#[derive(Debug)]
pub(super) struct Asking {
    body: Incoming,
    progress: Progress,
}

impl Asking {
    pub(super) fn new(body: Incoming, progress: Progress) -> Self {
        if body.is_end_stream() {
            progress.asked();
        } else {
            progress.asking();
        }
        Self { body, progress }
    }
}

impl Body for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.asked();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
