//! The part of MessagePack that records are written in: nothing, truth, whole numbers, bytes, lists
//! and maps of bytes. It is what `cmsgpack` of the server makes of such values.

/// Writes values one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn nothing(&mut self) {
        self.0.push(0xc0);
    }

    pub(crate) fn truth(&mut self, truth: bool) {
        self.0.push(if truth { 0xc3 } else { 0xc2 });
    }

    pub(crate) fn number(&mut self, number: i64) {
        if let Ok(small) = u8::try_from(number)
            && small < 0x80
        {
            self.0.push(small);
        } else if let Ok(half) = u32::try_from(number) {
            self.0.push(0xce);
            self.0.extend(half.to_be_bytes());
        } else {
            self.0.push(0xd3);
            self.0.extend(number.to_be_bytes());
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len(), [0xa0, 0xdb], 32);
        self.0.extend(bytes);
    }

    /// What follows are this many values.
    pub(crate) fn list(&mut self, length: usize) {
        self.length(length, [0x90, 0xdd], 16);
    }

    /// What follows are this many pairs.
    pub(crate) fn map(&mut self, length: usize) {
        self.length(length, [0x80, 0xdf], 16);
    }

    /// A length below `short` goes into the first byte, any other into four more.
    fn length(&mut self, length: usize, [first, long]: [u8; 2], short: u8) {
        match u8::try_from(length) {
            Ok(length) if length < short => self.0.push(first | length),
            _ => {
                self.0.push(long);
                // No value comes near 4 GiB: the server takes no argument above 512 MiB.
                self.0.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
    }
}

/// A value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Nothing,
    Truth(bool),
    Number(i64),
    Bytes(&'a [u8]),
    /// So many values follow.
    List(usize),
    /// So many pairs follow.
    Map(usize),
}

/// Reads values one after the other.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value; `None` if there is none, or one that is never written.
    pub(crate) fn next(&mut self) -> Option<Item<'a>> {
        let [first] = self.array()?;
        Some(match first {
            0xc0 => Item::Nothing,
            0xc2 => Item::Truth(false),
            0xc3 => Item::Truth(true),
            0x00..=0x7f => Item::Number(first.into()),
            0xe0..=0xff => Item::Number(first.cast_signed().into()),
            0xcc => Item::Number(self.array().map(u8::from_be_bytes)?.into()),
            0xcd => Item::Number(self.array().map(u16::from_be_bytes)?.into()),
            0xce => Item::Number(self.array().map(u32::from_be_bytes)?.into()),
            0xcf => Item::Number(self.array().map(u64::from_be_bytes)?.try_into().ok()?),
            0xd0 => Item::Number(self.array().map(i8::from_be_bytes)?.into()),
            0xd1 => Item::Number(self.array().map(i16::from_be_bytes)?.into()),
            0xd2 => Item::Number(self.array().map(i32::from_be_bytes)?.into()),
            0xd3 => Item::Number(self.array().map(i64::from_be_bytes)?),
            0xa0..=0xbf => self.take(usize::from(first & 0x1f)).map(Item::Bytes)?,
            0xd9 => {
                let [length] = self.array()?;
                self.take(length.into()).map(Item::Bytes)?
            }
            0xda => {
                let length = self.short()?;
                self.take(length).map(Item::Bytes)?
            }
            0xdb => {
                let length = self.long()?;
                self.take(length).map(Item::Bytes)?
            }
            0x90..=0x9f => Item::List(usize::from(first & 0x0f)),
            0xdc => Item::List(self.short()?),
            0xdd => Item::List(self.long()?),
            0x80..=0x8f => Item::Map(usize::from(first & 0x0f)),
            0xde => Item::Map(self.short()?),
            0xdf => Item::Map(self.long()?),
            _ => return None,
        })
    }

    fn short(&mut self) -> Option<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    fn long(&mut self) -> Option<usize> {
        self.array().map(u32::from_be_bytes)?.try_into().ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back() {
        let numbers = [0, 127, 128, 255, 1 << 16, u32::MAX.into(), 1 << 33, -1, -129, i64::MIN];
        let texts = [0, 1, 31, 32, 255, 70_000].map(|length| vec![b'x'; length]);
        let mut writer = Writer::default();
        numbers.iter().for_each(|number| writer.number(*number));
        texts.iter().for_each(|text| writer.bytes(text));
        writer.nothing();
        writer.truth(true);
        writer.list(3);
        writer.map(70);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        for number in numbers {
            assert_eq!(reader.next(), Some(Item::Number(number)));
        }
        for text in &texts {
            assert_eq!(reader.next(), Some(Item::Bytes(text)));
        }
        assert_eq!(reader.next(), Some(Item::Nothing));
        assert_eq!(reader.next(), Some(Item::Truth(true)));
        assert_eq!(reader.next(), Some(Item::List(3)));
        assert_eq!(reader.next(), Some(Item::Map(70)));
        assert!(reader.is_at_end());
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for bytes in [&[0xa2, b'x'][..], &[0xdb, 0, 0, 1], &[0xd3, 0], &[], &[0xc1], &[0xcb]] {
            assert_eq!(Reader::new(bytes).next(), None, "{bytes:?}");
        }
    }
}
