//! Makes a QR code of a text, and draws it.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Pixels of a side that are drawn at most.
pub const MAX_SIZE: u32 = 4_096;

/// Modules of the quiet zone that are drawn at most.
pub const MAX_MARGIN: u32 = 50;

/// How much of a code may be damaged.
#[derive(Clone, Copy)]
pub enum Correction {
    Low,
    Medium,
    Quartile,
    High,
}

impl Correction {
    fn level(self) -> QrCodeEcc {
        match self {
            Self::Low => QrCodeEcc::Low,
            Self::Medium => QrCodeEcc::Medium,
            Self::Quartile => QrCodeEcc::Quartile,
            Self::High => QrCodeEcc::High,
        }
    }

    /// What share of the code words can be restored, percent.
    fn percent(self) -> u32 {
        match self {
            Self::Low => 7,
            Self::Medium => 15,
            Self::Quartile => 25,
            Self::High => 30,
        }
    }
}

/// The modules of a code with the quiet zone around them.
pub struct Code {
    code: QrCode,
    margin: u32,
    correction: Correction,
}

impl Code {
    /// Encodes a text in the smallest version that holds it.
    pub fn of(text: &str, correction: Correction, margin: u32) -> Result<Self, String> {
        if text.is_empty() {
            return Err("text is empty: say what the code shall hold".into());
        }
        if margin > MAX_MARGIN {
            return Err(format!("margin is {margin} modules; at most {MAX_MARGIN} are drawn"));
        }
        let code = QrCode::encode_text(text, correction.level()).map_err(|_| {
            let most = capacity(correction);
            format!(
                "text has {} bytes; with this error correction a QR code holds {most} bytes (more of digits and capital letters). Shorten it or choose a lower error_correction",
                text.len()
            )
        })?;
        Ok(Self { code, margin, correction })
    }

    /// Modules of a side, quiet zone included.
    pub fn modules(&self) -> u32 {
        self.code.size() as u32 + 2 * self.margin
    }

    /// Says in a sentence what the code is like.
    pub fn summary(&self) -> String {
        let (side, percent) = (self.code.size(), self.correction.percent());
        format!("QR code, version {}, {side} x {side} modules, {percent} % can be restored", self.code.version().value())
    }

    fn dark(&self, x: u32, y: u32) -> bool {
        let at = |v: u32| v as i32 - self.margin as i32;
        self.code.get_module(at(x), at(y))
    }

    /// Pixels of a side: the largest multiple of the modules that is not above size.
    pub fn pixels(&self, size: u32) -> Result<u32, String> {
        if size > MAX_SIZE {
            return Err(format!("size is {size} pixels; at most {MAX_SIZE} are drawn"));
        }
        let modules = self.modules();
        match size / modules {
            0 => Err(format!("size is {size} pixels, and the code has {modules} modules with its margin: choose a size of {modules} or more")),
            scale => Ok(modules * scale),
        }
    }

    /// Draws black on white, one bit a pixel.
    pub fn png(&self, size: u32) -> Result<Vec<u8>, String> {
        let pixels = self.pixels(size)?;
        let scale = pixels / self.modules();
        let line = pixels.div_ceil(8) as usize;
        let mut rows = Vec::with_capacity(line * pixels as usize);
        for y in 0..self.modules() {
            let mut row = vec![0xFFu8; line];
            for x in (0..pixels).filter(|x| self.dark(x / scale, y)) {
                row[x as usize / 8] &= !(0x80 >> (x % 8));
            }
            for _ in 0..scale {
                rows.extend_from_slice(&row);
            }
        }
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder.set_compression(png::Compression::High);
        let drawn = encoder.write_header().and_then(|mut w| {
            w.write_image_data(&rows)?;
            w.finish()
        });
        drawn.map_err(|e| format!("drawing the code: {e}"))?;
        Ok(out)
    }

    /// Draws a path of rectangles, a run of dark modules each.
    pub fn svg(&self, size: u32) -> Result<String, String> {
        if size > MAX_SIZE {
            return Err(format!("size is {size} pixels; at most {MAX_SIZE} are drawn"));
        }
        let n = self.modules();
        let mut out = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {n} {n}" shape-rendering="crispEdges"><rect width="{n}" height="{n}" fill="#fff"/><path fill="#000" d=""##
        );
        for y in 0..n {
            let mut x = 0;
            while x < n {
                let run = (x..n).take_while(|x| self.dark(*x, y)).count() as u32;
                if run > 0 {
                    let _ = write!(out, "M{x} {y}h{run}v1h-{run}z");
                }
                x += run.max(1);
            }
        }
        out.push_str("\"/></svg>\n");
        Ok(out)
    }

    /// Draws with half blocks, two modules above each other a character: light on a dark terminal, as
    /// most are, so that a camera sees dark modules on light ground.
    pub fn text(&self) -> String {
        let n = self.modules();
        let mut out = String::new();
        for y in (0..n).step_by(2) {
            for x in 0..n {
                let below = y + 1 < n && !self.dark(x, y + 1);
                out.push(match (!self.dark(x, y), below) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            out.push('\n');
        }
        out
    }
}

/// Bytes that the largest version holds. Source: ISO/IEC 18004, table 7, version 40.
fn capacity(correction: Correction) -> usize {
    match correction {
        Correction::Low => 2_953,
        Correction::Medium => 2_331,
        Correction::Quartile => 1_663,
        Correction::High => 1_273,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    const ALL: [Correction; 4] = [Correction::Low, Correction::Medium, Correction::Quartile, Correction::High];

    fn code(text: &str) -> Code {
        Code::of(text, Correction::Medium, 4).unwrap()
    }

    #[test]
    fn what_is_drawn_can_be_read() {
        for text in ["https://example.com/a?b=c", "12345", "Blåbærsyltetøy 🫐", &"x".repeat(1_200)] {
            for correction in ALL {
                let code = Code::of(text, correction, 4).unwrap();
                let png = code.png(3 * code.modules()).unwrap();
                let found = scan::codes(&png).unwrap();
                assert_eq!(found.len(), 1, "{text}");
                assert_eq!(found[0].content, scan::Content::Text(text.into()));
            }
        }
    }

    #[test]
    fn the_size_is_the_largest_that_fits_whole_modules() {
        let small = code("a"); // version 1: 21 modules, and 8 of margin
        assert_eq!(small.modules(), 29);
        assert_eq!(small.pixels(300), Ok(290));
        assert_eq!(small.pixels(29), Ok(29));
        assert_eq!(small.pixels(28).unwrap_err(), "size is 28 pixels, and the code has 29 modules with its margin: choose a size of 29 or more");
        assert_eq!(small.pixels(5_000).unwrap_err(), "size is 5000 pixels; at most 4096 are drawn");
        assert!(small.svg(5_000).is_err());
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_with_what_fits() {
        for correction in ALL {
            let most = capacity(correction);
            assert!(Code::of(&"x".repeat(most), correction, 0).is_ok());
            let refused = Code::of(&"x".repeat(most + 1), correction, 0).err().unwrap();
            assert!(refused.contains(&format!("a QR code holds {most} bytes")), "{refused}");
        }
        assert!(Code::of("", Correction::Low, 0).is_err());
        assert!(Code::of("a", Correction::Low, 51).is_err());
    }

    #[test]
    fn text_and_svg_draw_the_same_modules() {
        let code = code("https://example.com");
        let n = code.modules() as usize;
        let rows: Vec<Vec<char>> = code.text().lines().map(|l| l.chars().collect()).collect();
        assert_eq!((rows.len(), rows[0].len()), (n.div_ceil(2), n));
        let svg = code.svg(300).unwrap();
        for y in 0..n {
            for x in 0..n {
                let light = match rows[y / 2][x] {
                    '█' => true,
                    '▀' => y % 2 == 0,
                    '▄' => y % 2 == 1,
                    _ => false,
                };
                assert_eq!(light, !code.dark(x as u32, y as u32), "{x} {y}");
                let starts = code.dark(x as u32, y as u32) && (x == 0 || !code.dark(x as u32 - 1, y as u32));
                assert_eq!(svg.contains(&format!("M{x} {y}h")), starts, "{x} {y}");
            }
        }
    }
}
