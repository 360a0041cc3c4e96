//! Looks for many values at once, in whatever form they may have been written.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

/// Bytes by which they are told apart at first.
const START: usize = 8;

/// How much of a form is enough to know it by: longer than anything that is alike by chance.
const ENOUGH: usize = 20;

/// Forms of values.
pub struct Needles {
    by_start: HashMap<[u8; START], Vec<Vec<u8>>>,
    /// Which pairs of bytes any of them starts with.
    pairs: Vec<bool>,
}

impl Needles {
    /// Of these values, as Secrets hold them.
    pub fn new(values: &BTreeSet<Vec<u8>>) -> Self {
        let mut needles = Self { by_start: HashMap::new(), pairs: vec![false; 1 << 16] };
        for form in values.iter().flat_map(|value| forms(value)) {
            if let Some(start) = form.first_chunk::<START>() {
                needles.pairs[pair(form[0], form[1])] = true;
                needles.by_start.entry(*start).or_default().push(form);
            }
        }
        needles
    }

    /// Those that are in the text, with what stands before them.
    pub fn found_in(&self, text: &str) -> BTreeSet<String> {
        let bytes = text.as_bytes();
        let mut found = BTreeSet::new();
        for (position, window) in bytes.windows(START).enumerate() {
            if !self.pairs[pair(window[0], window[1])] {
                continue;
            }
            let forms = self.by_start.get(window).map_or(&[][..], Vec::as_slice);
            if let Some(form) = forms.iter().find(|form| bytes[position..].starts_with(form)) {
                let line = bytes[..position].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let line = String::from_utf8_lossy(&bytes[line.max(position.saturating_sub(300))..position]);
                found.insert(format!("{} after {line}", String::from_utf8_lossy(form)));
            }
        }
        found
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// The beginnings of what a value may look like: as it is, decoded, encoded once more, in a JWK; as text, as text in quotes,
/// and as a list of bytes.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let decoded = STANDARD.decode(value.trim_ascii_end()).unwrap_or_default();
    let mut forms = vec![
        value.to_vec(),
        STANDARD.encode(value).into_bytes(),
        STANDARD.encode(STANDARD.encode(value)).into_bytes(),
        URL_SAFE_NO_PAD.encode(&decoded).into_bytes(),
        quoted(&decoded),
        decoded.clone(),
    ];
    // As the API server's JSON has it, and as that of `raw`.
    forms.push(STANDARD.encode(&decoded).into_bytes());
    for form in &mut forms {
        form.truncate(ENOUGH);
    }
    forms.extend([list(value), list(&decoded)]);
    forms.retain(|form| form.len() >= ENOUGH);
    forms
}

fn quoted(raw: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(raw).escape_debug().to_string().into_bytes()
}

/// As `Debug` writes bytes.
fn list(bytes: &[u8]) -> Vec<u8> {
    let mut list = String::new();
    for byte in bytes.iter().take(12) {
        let _ = write!(list, "{byte}, ");
    }
    list.into_bytes()
}
