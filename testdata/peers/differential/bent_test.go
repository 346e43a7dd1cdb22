package differential

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// What the gate and the product's runtime take for valid is valid to another runtime too, and so is what
// the meter makes of it: modules are bent in all the ways in which two readers may take one for different
// programs.
func TestBentModules(t *testing.T) {
	const modules = 20_000
	theirs := newTheirs()
	rules := wasm.Rules{MaxMemoryPages: 65_536, Imports: map[[2]string]wasm.FuncType{}}
	for name, params := range prints {
		rules.Imports[[2]string{"spectest", name}] = wasm.FuncType{Params: params}
	}
	list, err := w.Bendable(func(module []byte) ([]byte, error) {
		gated, err := wasm.Gate(module, rules)
		return gated.Code(), err
	})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(9, 10))
	bytes := make([]byte, 40)
	admitted, refused, dead := 0, 0, 0
	for range modules {
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		d, function := w.Bent(list, bytes)
		module := d.Module(function, d.Code[function])
		if random.IntN(4) == 0 { // anywhere else as well
			module[8+random.IntN(len(module)-8)] ^= 1 << random.IntN(8)
		}
		gated, err := wasm.Gate(module, rules)
		if err != nil {
			refused++
			continue
		}
		valid, err := wasm.Validate(gated, validate)
		if err != nil {
			refused++
			continue
		}
		admitted++
		metered, err := wasm.Meter(valid)
		if err != nil {
			t.Fatalf("%v\n%x", err, module)
		}
		for what, code := range map[string][]byte{"as it is": module, "gated": gated.Code(), "metered": metered.Code()} {
			p, err := theirs.load(code)
			if err != nil && unchecked(d, err) {
				dead++
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%x", what, err, module)
			}
			p.close()
		}
	}
	t.Logf("%d modules of %d kinds: %d admitted, %d of them with a select of no type, %d refused", modules, len(list), admitted, dead, refused)
	if dead > admitted/100 || admitted < modules/10 || refused < modules/10 {
		t.Error("too few of one kind to tell anything")
	}
}

// unchecked tells whether a module is invalid by nothing but the type of a select that is never executed:
// the product's runtime does not look at that, and makes no code of it.
func unchecked(d w.Dissected, err error) bool {
	return strings.Contains(err.Error(), "type mismatch") && slices.ContainsFunc(d.Code, func(code []byte) bool {
		return slices.ContainsFunc(w.AsRuntime(code), func(in w.Placed) bool { return in.Op == 0x1c })
	})
}
