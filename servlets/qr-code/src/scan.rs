//! Finds QR codes in a picture and reads them.

use std::io::Cursor;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::prelude::BASE64_STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Pixels of a picture. A file of a few KB can claim billions: this is checked before any is decoded.
pub const MAX_PIXELS: u64 = 16_000_000;

/// Pixels of a side.
const MAX_SIDE: u64 = 16_000;

/// Bytes of a picture's file.
pub const MAX_FILE: usize = 16 << 20;

/// Codes that are read from one picture.
const MAX_CODES: usize = 50;

/// What a code holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// What is not UTF-8, in base64.
    Bytes(String),
}

/// A code that was read.
#[derive(Debug)]
pub struct Found {
    pub content: Content,
    pub version: usize,
    /// The corners in the picture, from the code's own top left clockwise, pixels from the top left.
    pub corners: [(i32, i32); 4],
}

/// Decodes base64, also that of a data: URL.
pub fn file(text: &str) -> Result<Vec<u8>, String> {
    let text = match text.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,").map(|(_, data)| data).ok_or("image is a data: URL without ;base64,")?,
        None => text,
    };
    let compact: Vec<u8> = text.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    if compact.len() / 4 * 3 > MAX_FILE {
        return Err(format!("image has more than {} MiB; send a smaller one", MAX_FILE >> 20));
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config).decode(compact).map_err(|e| format!("image is not base64: {e}"))
}

/// Reads all codes of a PNG or JPEG file. What looks like a code and cannot be read is left out.
pub fn codes(file: &[u8]) -> Result<Vec<Found>, String> {
    let mut picture = match file {
        [0x89, b'P', b'N', b'G', ..] => decode_png(file)?,
        [0xFF, 0xD8, ..] => decode_jpeg(file)?,
        _ => return Err("image is neither a PNG nor a JPEG file".into()),
    };
    let found = search(&picture);
    if !found.is_empty() {
        return Ok(found);
    }
    // Light codes on dark ground are outside of the standard, and common.
    picture.grey.iter_mut().for_each(|v| *v = !*v);
    Ok(search(&picture))
}

/// A picture without colours.
struct Picture {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

fn search(picture: &Picture) -> Vec<Found> {
    let at = |x: usize, y: usize| picture.grey[y * picture.width + x];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(picture.width, picture.height, at);
    let grids = prepared.detect_grids();
    let read = |grid: &rqrr::Grid<_>| {
        let mut bytes = Vec::new();
        let meta = grid.decode_to(&mut bytes).ok()?;
        Some(Found { content: content(bytes), version: meta.version.0, corners: grid.bounds.map(|p| (p.x, p.y)) })
    };
    grids.iter().filter_map(read).take(MAX_CODES).collect()
}

fn content(bytes: Vec<u8>) -> Content {
    String::from_utf8(bytes).map_or_else(|e| Content::Bytes(BASE64_STANDARD.encode(e.as_bytes())), Content::Text)
}

/// Refuses a picture of too many pixels, or of none.
fn check(width: u64, height: u64) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err("image has no pixels".into());
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(format!(
            "image has {width} x {height} pixels; at most {} million in all and {MAX_SIDE} a side are read. Scale it down or cut out the code",
            MAX_PIXELS / 1_000_000
        ));
    }
    Ok(())
}

fn decode_png(file: &[u8]) -> Result<Picture, String> {
    let wrong = |e: png::DecodingError| format!("image is a PNG file that cannot be read: {e}");
    let limits = png::Limits { bytes: 160 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(wrong)?;
    check(header.width.into(), header.height.into())?;
    let (width, height) = (header.width as usize, header.height as usize);
    let mut reader = decoder.read_info().map_err(wrong)?;
    let mut grey = Vec::with_capacity(width * height);
    let samples = reader.output_color_type().0.samples();
    if reader.info().interlaced {
        let mut all = vec![0; reader.output_buffer_size().ok_or("image is too large")?];
        reader.next_frame(&mut all).map_err(wrong)?;
        all.chunks_exact(samples).for_each(|pixel| grey.push(luma(pixel)));
    } else {
        // Line by line, so that a picture of 16 million pixels takes no 64 MB of colours.
        while let Some(row) = reader.next_row().map_err(wrong)? {
            row.data().chunks_exact(samples).for_each(|pixel| grey.push(luma(pixel)));
        }
    }
    if grey.len() != width * height {
        return Err("image is a PNG file that ends too early".into());
    }
    Ok(Picture { width, height, grey })
}

/// The lightness of a pixel of grey, grey with alpha, RGB or RGBA; what is transparent is white.
fn luma(pixel: &[u8]) -> u8 {
    let grey = |r: u8, g: u8, b: u8| (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)) / 1000;
    let over_white = |v: u32, alpha: u8| ((v * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8;
    match *pixel {
        [v] => v,
        [v, alpha] => over_white(v.into(), alpha),
        [r, g, b] => grey(r, g, b) as u8,
        [r, g, b, alpha] => over_white(grey(r, g, b), alpha),
        _ => 0,
    }
}

fn decode_jpeg(file: &[u8]) -> Result<Picture, String> {
    let wrong = |e| format!("image is a JPEG file that cannot be read: {e}");
    let options = DecoderOptions::new_safe()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_max_scans(32)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(file), options);
    decoder.decode_headers().map_err(|e| wrong(format!("{e:?}")))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| wrong("it has no size".into()))?;
    check(width as u64, height as u64)?;
    let grey = decoder.decode().map_err(|e| wrong(format!("{e:?}")))?;
    match grey.len() == width * height {
        true => Ok(Picture { width, height, grey }),
        false => Err(wrong("it has an unusual colour space".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Code, Correction};

    /// A picture of a code as RGBA: dark and light are the colours of its modules.
    fn painted(text: &str, dark: [u8; 4], light: [u8; 4]) -> Vec<u8> {
        let picture = decode_png(&Code::of(text, Correction::Low, 4).unwrap().png(290).unwrap()).unwrap();
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, picture.width as u32, picture.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        let colours: Vec<u8> = picture.grey.iter().flat_map(|v| if *v < 128 { dark } else { light }).collect();
        encoder.write_header().unwrap().write_image_data(&colours).unwrap();
        out
    }

    fn texts(file: &[u8]) -> Vec<Content> {
        codes(file).unwrap().into_iter().map(|code| code.content).collect()
    }

    #[test]
    fn codes_of_any_colour_are_read() {
        let want = [Content::Text("hello".into())];
        for (dark, light) in [([200, 0, 0, 255], [250, 250, 200, 255]), ([0, 0, 0, 255], [9, 9, 9, 0]), ([240, 255, 240, 255], [0, 0, 60, 255])] {
            assert_eq!(texts(&painted("hello", dark, light)), want, "{dark:?} on {light:?}");
        }
        let plain = painted("hello", [0, 0, 0, 255], [0, 0, 0, 255]);
        assert_eq!(texts(&plain), []);
    }

    #[test]
    fn a_jpeg_is_read_as_well() {
        let found = codes(include_bytes!("../testdata/link.jpg")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].content, Content::Text("https://example.com/".into()));
        assert_eq!(found[0].version, 2);
    }

    #[test]
    fn what_is_no_text_comes_as_base64() {
        let code = qrcodegen::QrCode::encode_binary(&[0xFF, 0, 0xFE], qrcodegen::QrCodeEcc::Low).unwrap();
        let side = code.size() as usize;
        let grid = rqrr::SimpleGrid::from_func(side, |x, y| code.get_module(x as i32, y as i32));
        let mut bytes = Vec::new();
        rqrr::Grid::new(grid).decode_to(&mut bytes).unwrap();
        assert_eq!(content(bytes), Content::Bytes("/wD+".into()));
    }

    /// The beginning of a PNG file that claims a size.
    fn claims(width: u32, height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        drop(encoder.write_header());
        out
    }

    #[test]
    fn a_small_file_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
        for (width, height) in [(60_000, 60_000), (16_001, 1), (1, 16_001), (4_001, 4_000)] {
            let refused = codes(&claims(width, height)).unwrap_err();
            assert!(refused.starts_with(&format!("image has {width} x {height} pixels; at most 16 million")), "{refused}");
        }
        let mut jpeg = include_bytes!("../testdata/link.jpg").to_vec();
        let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0x3E, 0x80, 0x3E, 0x80]); // 16,000 x 16,000
        assert!(codes(&jpeg).unwrap_err().starts_with("image has 16000 x 16000 pixels"));
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
        assert!(codes(&jpeg).is_err());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let png = painted("x", [0, 0, 0, 255], [255, 255, 255, 255]);
        assert!(codes(&png[..png.len() / 2]).unwrap_err().starts_with("image is a PNG file that"));
        assert!(codes(&claims(10, 10)).unwrap_err().starts_with("image is a PNG file that"));
        assert!(codes(&[0xFF, 0xD8, 0xFF]).unwrap_err().starts_with("image is a JPEG file that"));
        assert_eq!(codes(b"GIF89a").unwrap_err(), "image is neither a PNG nor a JPEG file");
        assert_eq!(codes(b"").unwrap_err(), "image is neither a PNG nor a JPEG file");
    }

    #[test]
    fn a_file_comes_as_base64_in_every_usual_form() {
        for text in ["aGk=", "aGk", " aG\nk= ", "data:image/png;base64,aGk=", "data:;base64,aGk"] {
            assert_eq!(file(text), Ok(b"hi".to_vec()), "{text}");
        }
        assert!(file("a?").unwrap_err().starts_with("image is not base64"));
        assert_eq!(file("data:image/png,abc").unwrap_err(), "image is a data: URL without ;base64,");
        assert_eq!(file(&"A".repeat(MAX_FILE / 3 * 4 + 8)).unwrap_err(), "image has more than 16 MiB; send a smaller one");
    }
}
