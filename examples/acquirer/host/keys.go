package host

import (
	"bytes"
	"crypto/rand"
	"errors"

	"github.com/tallystick/tallystick/codec"
)

// DefaultTMK is the terminal master key of examples: 16 times 0x11.
func DefaultTMK() []byte { return bytes.Repeat([]byte{0x11}, 16) }

var errKeyScheme = errors.New("no working keys of this kind are offered")

// workingKeys are the keys of one session: as the host keeps them and as DE 62
// carries them.
type workingKeys struct{ pik, mak, wire []byte }

// newWorkingKeys draws keys for a sign-in (60.3 = 001 or 003) and wraps them
// under the master key. The MAC key has 8 bytes in both.
func newWorkingKeys(network int, tmk []byte) (k workingKeys, err error) {
	size := map[int]int{codec.NetSignInSingle: 8, codec.NetSignInDouble: 16}[network]
	if size == 0 {
		return k, errKeyScheme
	}
	master, err := codec.NewMasterKey(tmk)
	if err != nil {
		return k, err
	}
	var out codec.WorkingKeys
	k.pik, k.mak = newKey(size), newKey(8)
	if out.PIN, err = master.Wrap(k.pik); err != nil {
		return k, err
	}
	if out.MAC, err = master.Wrap(k.mak); err != nil {
		return k, err
	}
	k.wire, err = out.Append(nil)
	return k, err
}

// newKey draws a DES key with the odd parity that keys have.
func newKey(size int) []byte {
	key := make([]byte, size)
	rand.Read(key) // never fails
	for i, b := range key {
		ones := 0
		for v := b >> 1; v != 0; v >>= 1 {
			ones += int(v & 1)
		}
		key[i] = b&^1 | byte(1-ones&1)
	}
	return key
}
