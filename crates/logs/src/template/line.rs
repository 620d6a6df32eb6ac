use std::ops::Range;

use super::builtin::class::{BLANK, OF, TRIGGER};
use super::mask::{Masks, Span};

/// Begins a mask in a masked message; its place in the list follows. No UTF-8 text holds this byte, so that a message
/// with `<IP>` in its own words is never taken for one with an address.
const MASK: u8 = 0xff;
/// Added to a mask's place, so that it is neither a blank nor a digit.
const MASK_BASE: u8 = 0x80;
/// A whole token that is a parameter. No UTF-8 text holds it either.
pub(super) const WILD: u8 = 0xfe;

/// A message as the tree sees it; all of it is room that the next message uses again.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The tokens, with one blank between two.
    masked: Vec<u8>,
    /// The values in `masked`, in order.
    spans: Vec<Span>,
    /// Where the tokens are in the message, and how many values each holds.
    places: Vec<Place>,
    found: Vec<Span>,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    spans: u32,
}

/// How much of a message is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) tokens: usize,
    pub(super) bytes: usize,
}

impl Line {
    pub(super) fn masked(&self) -> &[u8] {
        &self.masked
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Reads a message without blanks at its end. `with_places`: [`Line::parameters`] will be asked for.
    pub(super) fn read(&mut self, masks: &Masks, message: &str, limits: Limits, with_places: bool) {
        let head = &message[..message.floor_char_boundary(limits.bytes)];
        self.is_cut = false;
        if masks.has_patterns() {
            masks.find_all(head, &mut self.found);
        } else {
            let is_plain = self.find_ready(masks, head.as_bytes(), limits.tokens);
            if is_plain && head.len() == message.len() && !with_places {
                return self.replace(head.as_bytes());
            }
        }
        self.weave(head.as_bytes(), message, limits.tokens);
    }

    /// Finds all values, and tells whether replacing them is all there is to do: single blanks, not too many tokens, no
    /// two tokens with values side by side.
    fn find_ready(&mut self, masks: &Masks, text: &[u8], tokens_max: usize) -> bool {
        self.found.clear();
        let (mut at, mut tokens, mut is_plain, mut was_masked) = (0, 0, true, false);
        while at < text.len() {
            let (start, mut class) = (at, 0);
            while at < text.len() {
                let of = OF[usize::from(text[at])];
                if of == BLANK {
                    break;
                }
                class |= of;
                at += 1;
            }
            let before = self.found.len();
            if class & TRIGGER != 0 {
                let mut from = start;
                while let Some(span) = masks.ready.next_in_token(text, from, at, class) {
                    self.found.push(span);
                    from = span.end as usize;
                }
            }
            let is_masked = self.found.len() > before;
            is_plain &= at > start && !(is_masked && was_masked) && text.get(at).is_none_or(|byte| *byte == b' ');
            was_masked = is_masked;
            tokens += 1;
            at += 1;
        }
        is_plain && tokens <= tokens_max
    }

    fn replace(&mut self, text: &[u8]) {
        self.masked.clear();
        let mut at = 0;
        for span in &self.found {
            self.masked.extend_from_slice(&text[at..span.start as usize]);
            self.masked.extend_from_slice(&[MASK, MASK_BASE + span.mask]);
            at = span.end as usize;
        }
        self.masked.extend_from_slice(&text[at..]);
    }

    /// Writes the tokens one by one. A token with values that repeats the one before is one with it, so that a list of
    /// any length is one token. What there is no room for becomes one last parameter.
    fn weave(&mut self, head: &[u8], message: &str, tokens_max: usize) {
        self.masked.clear();
        self.spans.clear();
        self.places.clear();
        let (mut at, mut next) = (0, 0);
        let mut last_start = 0;
        let rest = loop {
            at = self.skip_blanks(head, at, next);
            if at == head.len() {
                break (head.len() < message.len()).then_some(at);
            }
            if self.places.len() == tokens_max {
                break Some(at);
            }
            let (start, masked_start, spans_start) = (at, self.masked.len(), self.spans.len());
            if masked_start > 0 {
                self.masked.push(b' ');
            }
            let token_start = self.masked.len();
            (at, next) = self.weave_token(head, at, next);
            if at == head.len() && head.len() < message.len() {
                // The token may go on behind what is looked at.
                self.masked.truncate(masked_start);
                self.spans.truncate(spans_start);
                break Some(start);
            }
            let is_repeat = spans_start < self.spans.len()
                && masked_start > 0
                && self.masked[last_start..masked_start] == self.masked[token_start..];
            if is_repeat {
                self.join(masked_start, spans_start, at);
                continue;
            }
            last_start = token_start;
            self.places.push(Place {
                start: place(start),
                end: place(at),
                spans: place(self.spans.len() - spans_start),
            });
        };
        if let Some(start) = rest {
            self.add_rest(start, message);
        }
    }

    fn skip_blanks(&self, head: &[u8], from: usize, next: usize) -> usize {
        // A pattern may match what begins with a blank.
        let stop = self.found.get(next).map_or(head.len(), |span| span.start as usize);
        from + head[from..stop].iter().take_while(|byte| OF[usize::from(**byte)] == BLANK).count()
    }

    fn weave_token(&mut self, head: &[u8], from: usize, next: usize) -> (usize, usize) {
        let (mut at, mut next) = (from, next);
        while at < head.len() {
            if let Some(span) = self.found.get(next).filter(|span| span.start as usize == at) {
                self.masked.extend_from_slice(&[MASK, MASK_BASE + span.mask]);
                self.spans.push(*span);
                (at, next) = (span.end as usize, next + 1);
                continue;
            }
            if OF[usize::from(head[at])] == BLANK {
                break;
            }
            self.masked.push(head[at]);
            at += 1;
        }
        (at, next)
    }

    /// Takes the newest token back: its values become part of the last one before it.
    fn join(&mut self, masked_start: usize, spans_start: usize, end: usize) {
        let newest = self.spans.last().expect("a repeat holds a value").end;
        self.masked.truncate(masked_start);
        self.spans.truncate(spans_start);
        self.spans.last_mut().expect("so does what it repeats").end = newest;
        self.places.last_mut().expect("a token was there before").end = place(end);
    }

    fn add_rest(&mut self, start: usize, message: &str) {
        let blanks = message.as_bytes()[start..].iter().take_while(|byte| OF[usize::from(**byte)] == BLANK).count();
        if !self.masked.is_empty() {
            self.masked.push(b' ');
        }
        self.masked.push(WILD);
        self.places.push(Place { start: place(start + blanks), end: place(message.len()), spans: 0 });
        self.is_cut = true;
    }

    /// Puts what is variable in the message into `ranges`, given the tokens of its template.
    pub(super) fn parameters<'t>(&self, template: impl Iterator<Item = &'t [u8]>, ranges: &mut Vec<Range<u32>>) {
        let mut spans = self.spans.iter();
        for (token, place) in template.zip(&self.places) {
            let inside = spans.by_ref().take(place.spans as usize).map(|span| span.start..span.end);
            if token == [WILD] {
                inside.for_each(drop);
                ranges.push(place.start..place.end);
            } else {
                ranges.extend(inside);
            }
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("longer messages are cut")
}

/// Returns the tokens of a masked message; an empty one has none.
pub(super) fn tokens(masked: &[u8]) -> impl Iterator<Item = &[u8]> {
    masked.split(|byte| *byte == b' ').filter(|token| !token.is_empty())
}

/// Returns whether a token is likely variable, though no mask says so: Drain, section III-C.
pub(super) fn is_variable(token: &[u8]) -> bool {
    token == [WILD] || token.iter().any(u8::is_ascii_digit)
}

/// Returns masked text as it is shown.
pub(super) fn shown(masked: &[u8], masks: &Masks) -> String {
    let mut text = String::with_capacity(masked.len() + 16);
    let mut rest = masked;
    while let Some(at) = rest.iter().position(|byte| *byte >= WILD) {
        text.push_str(text_of(&rest[..at]));
        match rest[at..] {
            [MASK, mask, ..] => {
                text.push_str(masks.token(mask - MASK_BASE));
                rest = &rest[at + 2..];
            }
            _ => {
                text.push_str(super::PARAMETER);
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(text_of(rest));
    text
}

fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("between masks there are pieces of a text")
}

/// Returns whether bytes could be a masked message with this many masks.
pub(super) fn is_masked_text(bytes: &[u8], masks: usize) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte >= WILD) {
        if std::str::from_utf8(&rest[..at]).is_err() {
            return false;
        }
        rest = match rest[at..] {
            [MASK, mask, ..] if mask >= MASK_BASE && usize::from(mask - MASK_BASE) < masks => &rest[at + 2..],
            [WILD, ..] => &rest[at + 1..],
            _ => return false,
        };
    }
    std::str::from_utf8(rest).is_ok()
}
