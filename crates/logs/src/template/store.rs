use std::collections::BTreeSet;

use super::error::TemplateError;
use super::line;
use super::miner::{Learned, Miner};
use super::spec::TemplateSpec;
use super::{MinerCounts, Template};

// Stored miner, version 1; numbers are little-endian.
//
// offset  bytes  what
//      0      4  version, 1
//      4     64  digest of the spec, hexadecimal
//     68     40  lines, created, evicted, unknown, cut: u64 each
//    108      4  known templates, `UNKNOWN` included: u32
//    112      …  messages of each: u64
//      …      4  learned templates: u32
//      …      …  each, in the order of their places:
//                number of the message that made it u64, of the last one that had it u64, messages u64,
//                way in the tree u32 (bit i: leading token i is a key itself, not `<*>`),
//                length of its id u16, id (UTF-8),
//                length of its tokens u32, tokens: UTF-8 with one blank between two; 0xfe is `<*>`,
//                0xff and 0x80 + i is mask i of the spec
//
// The tree, the order of use and the order in the leaves follow from these.
const VERSION: u32 = 1;
/// Longer ids are never made.
const ID_BYTES_MAX: usize = 64;

impl Miner {
    /// Returns what was learned and counted, as bytes; the same memory gives the same bytes.
    pub fn store(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend_from_slice(self.plan.spec.digest().as_bytes());
        let counts = self.counts;
        for count in [counts.lines, counts.created, counts.evicted, counts.unknown, counts.cut] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes.extend_from_slice(&length(self.fixed.len()).to_le_bytes());
        for template in &self.fixed {
            bytes.extend_from_slice(&template.lines.to_le_bytes());
        }
        bytes.extend_from_slice(&length(self.learned.len()).to_le_bytes());
        for learned in &self.learned {
            for number in [learned.created, learned.used, learned.template.lines] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&self.tree.way(learned.leaf).to_le_bytes());
            let id = learned.template.id.as_bytes();
            bytes.extend_from_slice(&u16::try_from(id.len()).expect("ids are short").to_le_bytes());
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(&length(learned.masked.len()).to_le_bytes());
            bytes.extend_from_slice(&learned.masked);
        }
        bytes
    }

    /// Reads back what [`Miner::store`] gave; the miner goes on as the stored one would have. The spec must give the same
    /// digest. Errors: those of [`Miner::new`], `Store`.
    pub fn restore(spec: TemplateSpec, bytes: &[u8]) -> Result<Self, TemplateError> {
        let mut miner = Self::new(spec)?;
        let mut reader = Reader { bytes, at: 0 };
        let version = u32::from_le_bytes(reader.array()?);
        if version != VERSION {
            return Err(reader.fault(format!("version {version} is not known, only {VERSION}")));
        }
        if reader.take(64)? != miner.plan.spec.digest().as_bytes() {
            return Err(reader.fault("they were learned with other settings".into()));
        }
        let mut count = || Ok(u64::from_le_bytes(reader.array()?));
        let (lines, created, evicted) = (count()?, count()?, count()?);
        miner.counts = MinerCounts { lines, created, evicted, unknown: count()?, cut: count()? };
        if u32::from_le_bytes(reader.array()?) as usize != miner.fixed.len() {
            return Err(reader.fault("not as many known templates as in the settings".into()));
        }
        for template in &mut miner.fixed {
            template.lines = u64::from_le_bytes(reader.array()?);
        }
        let learned = reader.learned(&miner)?;
        miner.fill(learned);
        Ok(miner)
    }
}

fn length(of: usize) -> u32 {
    u32::try_from(of).expect("templates and their bytes are bounded")
}

/// Reads from the front of bytes that may be anything.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, reason: String) -> TemplateError {
        TemplateError::Store { offset: self.at, reason }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], TemplateError> {
        let rest = &self.bytes[self.at..];
        let short = || self.fault(format!("{length} bytes wanted, {} left", rest.len()));
        let taken = rest.get(..length).ok_or_else(short)?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TemplateError> {
        Ok(self.take(N)?.try_into().expect("`take` gives as many bytes as asked"))
    }

    /// Reads all learned templates, each with the way to its leaf.
    fn learned(&mut self, miner: &Miner) -> Result<Vec<(Learned, u32)>, TemplateError> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > miner.plan.spec.templates_max || count > 0 && !miner.plan.spec.learn {
            return Err(self.fault(format!("{count} templates, more than the settings allow")));
        }
        let mut learned = Vec::new();
        let (mut ids, mut created, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        ids.extend(miner.fixed.iter().map(|template| template.id.to_string()));
        for _ in 0..count {
            let (one, way) = self.one(miner)?;
            let is_new =
                ids.insert(one.template.id.to_string()) && created.insert(one.created) && used.insert(one.used);
            if !is_new || !(1..=one.used).contains(&one.created) || one.used > miner.counts.lines {
                return Err(self.fault("an id or the number of a message that cannot be".into()));
            }
            learned.push((one, way));
        }
        if self.at < self.bytes.len() {
            return Err(self.fault(format!("{} bytes left over", self.bytes.len() - self.at)));
        }
        Ok(learned)
    }

    fn one(&mut self, miner: &Miner) -> Result<(Learned, u32), TemplateError> {
        let mut number = || Ok(u64::from_le_bytes(self.array()?));
        let (created, used, lines) = (number()?, number()?, number()?);
        let way = u32::from_le_bytes(self.array()?);
        let id_length = usize::from(u16::from_le_bytes(self.array()?));
        let id = std::str::from_utf8(self.take(id_length)?).ok().filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
        let id = id.ok_or_else(|| self.fault("an id that cannot be".into()))?.into();
        let masked_length = u32::from_le_bytes(self.array()?) as usize;
        let masked = self.take(masked_length)?;
        let plan = &miner.plan;
        let is_fine = line::is_masked_text(masked, plan.spec.masks.len())
            && line::tokens(masked).map(<[u8]>::len).sum::<usize>() + line::tokens(masked).count().saturating_sub(1)
                == masked.len()
            && line::tokens(masked).count() <= plan.spec.tokens_max + 1
            // A mask is two bytes and stands for one at least; the rest of a cut message adds two.
            && masked.len() <= 2 * plan.spec.line_bytes_max + 2;
        if !is_fine {
            return Err(self.fault("tokens that cannot be".into()));
        }
        let template = Template { id, code: 0, text: line::shown(masked, &plan.masks), lines };
        Ok((Learned::new(template, masked.to_vec(), created, used), way))
    }
}
