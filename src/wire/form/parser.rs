//! From bytes to parts.

use super::{FormError, HEAD_LEN_MAX, PartHead};
use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// What is found in a form, in the order in which it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Part(PartHead),
    /// Some of the current part's data, never empty. Not copied where that can be avoided.
    Data(Bytes),
    /// The current part is whole.
    PartEnd,
    /// The form is whole. What follows has no meaning.
    End,
}

/// Takes one form apart. Feed every frame, and ask for events until there is none:
///
/// ```
/// # use dovetail::wire::form::{Event, FormError, Parser};
/// # fn read(frames: Vec<bytes::Bytes>) -> Result<bool, FormError> {
/// let mut parser = Parser::new("boundary");
/// for frame in frames {
///     parser.feed(frame);
///     while let Some(event) = parser.next_event()? {
///         if event == Event::End {
///             return Ok(true);
///         }
///     }
/// }
/// Ok(false) // cut off
/// # }
/// ```
#[derive(Debug)]
pub struct Parser {
    /// `\r\n--` and the boundary.
    delimiter: Finder<'static>,
    /// What has arrived and is not given out.
    input: Bytes,
    state: State,
}

///     Preamble --delimiter--> Delimiter --CRLF--> Head --blank line--> Data --delimiter--> Delimiter
///     Delimiter -- `--` --> Done
///     any --fault--> Failed
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first part.
    Preamble,
    /// Behind a boundary.
    Delimiter,
    Head,
    Data,
    Done,
    Failed(FormError),
}

impl Parser {
    /// A parser for the boundary that the Content-Type names.
    pub fn new(boundary: &str) -> Parser {
        let delimiter = Finder::new(&format!("\r\n--{boundary}")).into_owned();
        // The first boundary needs no line before it.
        Parser { delimiter, input: Bytes::from_static(b"\r\n"), state: State::Preamble }
    }

    /// Adds what has arrived. All events of earlier frames should have been taken: what is left is copied.
    pub fn feed(&mut self, frame: Bytes) {
        if self.input.is_empty() {
            self.input = frame;
        } else if !frame.is_empty() {
            let mut joined = BytesMut::with_capacity(self.input.len() + frame.len());
            joined.extend_from_slice(&self.input);
            joined.extend_from_slice(&frame);
            self.input = joined.freeze();
        }
    }

    /// Bytes that have arrived and are in no event yet.
    pub fn held_len(&self) -> usize {
        self.input.len()
    }

    /// The next event, or `None` when more has to arrive first. An error is final, and what came before it worthless.
    pub fn next_event(&mut self) -> Result<Option<Event>, FormError> {
        let event = self.advance();
        if let Err(error) = event {
            self.state = State::Failed(error);
        }
        event
    }

    fn advance(&mut self) -> Result<Option<Event>, FormError> {
        loop {
            match self.state {
                State::Preamble => match self.delimiter.find(&self.input) {
                    Some(at) => self.behind_delimiter(at),
                    None => {
                        let kept = self.possible_delimiter();
                        self.input = self.input.split_off(self.input.len() - kept);
                        return Ok(None);
                    }
                },
                State::Delimiter => match self.delimiter_end()? {
                    None => return Ok(None),
                    Some(State::Done) => {
                        self.state = State::Done;
                        return Ok(Some(Event::End));
                    }
                    Some(state) => self.state = state,
                },
                State::Head => {
                    let Some(head) = self.head()? else { return Ok(None) };
                    self.state = State::Data;
                    return Ok(Some(Event::Part(head)));
                }
                State::Data => return Ok(self.data()),
                State::Done => {
                    self.input = Bytes::new();
                    return Ok(None);
                }
                State::Failed(error) => return Err(error),
            }
        }
    }

    fn behind_delimiter(&mut self, at: usize) {
        let end = at + self.delimiter.needle().len();
        self.input = self.input.split_off(end);
        self.state = State::Delimiter;
    }

    /// What the rest of a boundary's line says comes next: two hyphens end the form, white space means nothing.
    fn delimiter_end(&mut self) -> Result<Option<State>, FormError> {
        if self.input.len() < 2 {
            return Ok(None);
        }
        if self.input.starts_with(b"--") {
            return Ok(Some(State::Done));
        }
        let padding = self.input.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match &self.input[padding..] {
            _ if padding > HEAD_LEN_MAX => Err(FormError("a boundary's line is too long")),
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => {
                // The line's end stays: a head may be empty, and then begins with its end.
                self.input = self.input.split_off(padding);
                Ok(Some(State::Head))
            }
            _ => Err(FormError("a boundary is followed by something else")),
        }
    }

    /// The head, once its blank line is there. It begins with the end of the boundary's line.
    fn head(&mut self) -> Result<Option<PartHead>, FormError> {
        const END: &[u8] = b"\r\n\r\n";
        let searched = &self.input[..self.input.len().min(HEAD_LEN_MAX)];
        match memchr::memmem::find(searched, END) {
            Some(at) => {
                let head = self.input.split_to(at + END.len());
                PartHead::parse(&head[2.min(at)..at]).map(Some)
            }
            None if self.input.len() >= HEAD_LEN_MAX => Err(FormError("a part's head is too long")),
            None => Ok(None),
        }
    }

    fn data(&mut self) -> Option<Event> {
        match self.delimiter.find(&self.input) {
            Some(0) => {
                self.behind_delimiter(0);
                Some(Event::PartEnd)
            }
            Some(at) => Some(Event::Data(self.input.split_to(at))),
            None => {
                let given = self.input.len() - self.possible_delimiter();
                (given > 0).then(|| Event::Data(self.input.split_to(given)))
            }
        }
    }

    /// Bytes at the end of the input that may turn out to begin a delimiter.
    fn possible_delimiter(&self) -> usize {
        let needle = self.delimiter.needle();
        let longest = self.input.len().min(needle.len() - 1);
        (1..=longest).rev().find(|len| self.input.ends_with(&needle[..*len])).unwrap_or(0)
    }
}
