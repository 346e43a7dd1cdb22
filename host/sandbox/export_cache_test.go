package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
)

// OtherMeter makes this process one of another gate and meter, until undo.
func OtherMeter() (undo func()) {
	own := meterIdentity
	meterIdentity = func() [sha256.Size]byte { return sha256.Sum256([]byte("another")) }
	return func() { meterIdentity = own }
}

// Program is the file of the metered module, and Machine that of the machine code, in the cache folder.
func (c *Code) Program() string { return c.file }
func (c *Code) Machine() string { return c.engine.machineFile(c.machine.key) }

// MachineFor is the name of the machine code for a processor with these features, in the same folder.
func (c *Code) MachineFor(features uint64) string {
	h := sha256.New()
	h.Write(c.machine.key[:])
	h.Write([]byte("WAZEVO"))
	h.Write(binary.LittleEndian.AppendUint64(nil, features))
	return filepath.Join(filepath.Dir(c.Machine()), fmt.Sprintf("%x", h.Sum(nil)))
}

// FeatureBits is how many features of a processor are told apart.
const FeatureBits = featureBits
