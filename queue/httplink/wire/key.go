package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/dunglas/httpsfv"
)

// KeyHeader names the header field that carries a request's key.
const KeyHeader = "Idempotency-Key"

// Key identifies an entry, or a request with several.
type Key [16]byte

// String returns the 22 characters of unpadded base64url that stand on the wire.
func (k Key) String() string { return encode16(k) }

// Header returns k as a structured-field string, quotes included.
func (k Key) Header() string { return `"` + k.String() + `"` }

// JournalID identifies a journal.
type JournalID [16]byte

// String returns the 22 characters of unpadded base64url that stand on the wire.
func (j JournalID) String() string { return encode16(j) }

func encode16(b [16]byte) string { return base64.RawURLEncoding.EncodeToString(b[:]) }

func decode16(s string) (b [16]byte, err error) {
	if len(s) != 22 {
		return b, errors.New("is not 22 characters of base64url")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != 16 {
		return b, errors.New("is not 16 bytes in base64url")
	}
	return [16]byte(raw), nil
}

// ParseKey reads what Key.String wrote, and nothing else.
func ParseKey(s string) (Key, error) {
	k, err := decode16(s)
	return Key(k), err
}

// BatchKey is the key of a request with these entries, in this order: of one
// entry its own key, of several the beginning of a SHA-256 over "TSB1" and the
// keys.
func BatchKey(entries []Entry) Key {
	if len(entries) == 1 {
		return entries[0].Key
	}
	h := sha256.New()
	h.Write([]byte("TSB1"))
	for _, e := range entries {
		h.Write(e.Key[:])
	}
	return Key(h.Sum(nil)[:16])
}

// maxKeyHeader bounds what is parsed as a structured field.
const maxKeyHeader = 256

// KeyOf reads the Idempotency-Key of a request. A field that is missing is a
// *Problem of the type ProblemKeyMissing; one that is not a structured-field
// string, stands twice or holds no Key is ProblemKeyMalformed. Parameters, of
// which none is defined, are ignored.
func KeyOf(h http.Header) (Key, error) {
	values := h.Values(KeyHeader)
	if len(values) == 0 {
		return Key{}, NewProblem(ProblemKeyMissing, "the request needs an Idempotency-Key")
	}
	malformed := NewProblem(ProblemKeyMalformed, "the Idempotency-Key is not a quoted string of 22 characters of base64url")
	if len(values) > 1 || len(values[0]) > maxKeyHeader {
		return Key{}, malformed
	}
	item, err := httpsfv.UnmarshalItem(values)
	if err != nil {
		return Key{}, malformed
	}
	s, ok := item.Value.(string)
	if !ok {
		return Key{}, malformed
	}
	k, err := ParseKey(s)
	if err != nil {
		return Key{}, malformed
	}
	return k, nil
}
