//! A grey image in a terminal: two pixels to a character.

/// An image of `width` columns, row-major, `0` black to `1` white. `colour`: shades by colour codes, else by blocks.
pub fn draw(pixels: &[f32], width: usize, colour: bool) -> String {
    let rows: Vec<&[f32]> = pixels.chunks(width.max(1)).collect();
    let mut text = String::new();
    for pair in rows.chunks(2) {
        text.push_str("    ");
        for column in 0..pair[0].len() {
            let upper = pair[0][column];
            let lower = pair.get(1).and_then(|row| row.get(column)).copied().unwrap_or(0.0);
            if colour {
                text.push_str(&format!("\x1b[38;5;{};48;5;{}m▀", shade(upper), shade(lower)));
            } else {
                text.push(match (upper > 0.35, lower > 0.35) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
        }
        if colour {
            text.push_str("\x1b[0m");
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// One of the 24 greys of a terminal with 256 colours.
fn shade(value: f32) -> u8 {
    232 + (value.clamp(0.0, 1.0) * 23.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        assert_eq!(draw(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0], 3, false), "    ▀▄█\n    ▀▀\n");
        assert_eq!(draw(&[0.0, 1.0], 1, true), "    \x1b[38;5;232;48;5;255m▀\x1b[0m\n");
        assert_eq!(draw(&[], 0, false), "");
    }
}
