package toolchain

import (
	"slices"
	"testing"
)

func TestCratesOfFunctions(t *testing.T) {
	rows := []struct{ name, want string }{
		{"_RNvNtNtNtNtNtCs4FeGRwF264R_4core3num3imp7flt2dec8strategy6dragon15format_shortest", "Rust's library"},
		{"_RNCINvNtNtCsk6DxXIiz9X2_3std6thread7current17with_current_nameE", "Rust's library"},
		{"_RNvC3foo3bar", "foo"},
		{"_RNvCs1_5clock4tick", "clock"},
		{"_ZN12writ_servlet7exports4call17h6c0486707aea41feE", "writ_servlet"},
		{"_ZN45_$LT$f64$u20$as$u20$zmij..private..Sealed$GT$20write_to_zmij_buffer17hf4b41d283f220ea5E", "zmij"},
		{"_ZN98_$LT$$RF$mut$u20$serde_json..de..Deserializer$LT$R$GT$$u20$as$u20$serde_core..de..Deserializer$GT$18deserialize_struct17hb54539f9697c87E", "serde_json"},
		{"_ZN72_$LT$serde_json..error..JsonUnexpected$u20$as$u20$core..fmt..Display$GT$3fmt17h8e464ae33e7c6c93E", "serde_json"},
		{"_ZN4core3str21_$LT$impl$u20$str$GT$12trim_matches17h7f19e94873b829e0E", "Rust's library"},
		{"dlmalloc", "the C library"},
		{"servlet_call", "the C library"},
		{"_R", "the C library"},
		{"_RNvC999999999999999999999x", "the C library"},
		{"_ZN", "the C library"},
		{"", "the C library"},
	}
	for _, row := range rows {
		if got := crateOf(row.name); got != row.want {
			t.Errorf("%s is of %q, want %q", row.name, got, row.want)
		}
	}
}

func TestSizesOfCrates(t *testing.T) {
	names := []byte{1, 16, 2, 1, 6, 'm', 'a', 'l', 'l', 'o', 'c', 2, 5, '_', 'Z', 'N', '1', 'a'}
	code := []byte{2, 3, 0, 0, 0x0b, 2, 0, 0x0b}
	want := []Input{{"the C library", 3}, {"a", 2}}
	if got := crateSizes(names, code, 1); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for end := range code {
		crateSizes(names, code[:end], 1) // whatever it is, it ends
		crateSizes(names[:end], code, 1)
	}
}

func FuzzRustModule(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\x05\x04name\x02\x07\x01\x00"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x07\x05\x01\x01x\x00\x00\x0a\x04\x01\x02\x00\x0b"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = readRustModule(raw) })
}
