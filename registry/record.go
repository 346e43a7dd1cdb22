package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
)

// recordFormat is the first byte of every sealed record.
const recordFormat = 1

// recordHeader is the length of what precedes a sealed value: format, version, MAC.
const recordHeader = 1 + 8 + sha256.Size

// errSeal is a record whose MAC does not hold.
var errSeal = errors.New("does not match its seal")

// sealer protects every record with a MAC bound to its kind, key and version. It finds the flipped
// bit that the database underneath would hand out as data, the record that was copied to another
// key, and the grant that was edited on disk by someone who does not have the home's key.
type sealer struct {
	macs sync.Pool // of hash.Hash: keying one costs more than using it
}

func newSealer(key []byte) *sealer {
	return &sealer{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (s *sealer) mac(kind Kind, key string, version uint64, value []byte) []byte {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	head := make([]byte, 0, 256)
	head = append(head, "writ record v1\x00"...)
	head = binary.BigEndian.AppendUint16(head, uint16(len(kind)))
	head = append(head, kind...)
	head = binary.BigEndian.AppendUint16(head, uint16(len(key)))
	head = append(head, key...)
	head = binary.BigEndian.AppendUint64(head, version)
	mac.Write(head)
	mac.Write(value)
	return mac.Sum(head[:0])
}

// seal returns the stored form of a record.
func (s *sealer) seal(kind Kind, r Record) []byte {
	out := make([]byte, 0, recordHeader+len(r.Value))
	out = append(out, recordFormat)
	out = binary.BigEndian.AppendUint64(out, r.Version)
	out = append(out, s.mac(kind, r.Key, r.Version, r.Value)...)
	return append(out, r.Value...)
}

// open checks a stored record and returns it. Value points into stored.
func (s *sealer) open(kind Kind, key, stored []byte) (Record, error) {
	if len(stored) < recordHeader || stored[0] != recordFormat {
		return Record{}, errSeal
	}
	r := Record{
		Key:     string(key),
		Version: binary.BigEndian.Uint64(stored[1:9]),
		Value:   stored[recordHeader:],
	}
	if !hmac.Equal(stored[9:recordHeader], s.mac(kind, r.Key, r.Version, r.Value)) {
		return Record{}, errSeal
	}
	return r, nil
}
