package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// day makes the entries of a courier's day, in random variety.
func day(rnd *rand.Rand, n int) Submission {
	var s Submission
	for i := range s.Journal {
		s.Journal[i] = byte(rnd.Uint32())
	}
	s.Epoch = 1
	s.Lane = queue.Lane{Host: "depot", Merchant: fmt.Sprintf("%015d", 898_000_000_000_000+rnd.Int64N(1e12)), Terminal: fmt.Sprintf("%08d", rnd.IntN(1e8))}
	seq, stan := 100+rnd.IntN(90_000), 1+rnd.IntN(900_000)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.FixedZone("", 8*3600)).Add(time.Duration(rnd.IntN(300*24*3600)) * time.Second)
	operator := fmt.Sprint(1000 + rnd.IntN(9000))
	for range n {
		seq, stan = seq+1+rnd.IntN(2), stan+1+rnd.IntN(2)
		at = at.Add(time.Duration(20_000+rnd.IntN(900_000)) * time.Millisecond)
		e := Entry{Seq: queue.ID(seq), Kind: queue.Advice, Op: queue.Sale, Tender: queue.Cash, STAN: queue.STAN(stan),
			Ref: fmt.Sprintf("parcel-%09d", rnd.IntN(1e9)), Amount: queue.Money{Minor: int64(100 + rnd.IntN(50_000)), Currency: queue.CNY},
			Time: at, Operator: operator}
		if rnd.IntN(3) == 0 {
			e.Tender, e.Approval, e.EntryMode = queue.CardTender, fmt.Sprintf("%06d", rnd.IntN(1e6)), "051"
			e.MaskedPAN = fmt.Sprintf("%06d******%04d", 600_000+rnd.IntN(30_000), rnd.IntN(10_000))
		}
		s.Entries = append(s.Entries, e)
	}
	for i, e := range s.Entries {
		s.Entries[i].Key = s.KeyFor(e)
	}
	return s
}

// The figures of the link: a message of some 300 bytes takes at most 130 alone,
// and at most 90 in a request of 64.
func TestSizesOnTheLine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 9))
	alone, ofThat, batch, plain := 0, 0, 0, 0
	const rounds = 100
	for range rounds {
		body, err := day(rnd, 1).Encode()
		require.NoError(t, err)
		if n := len(body); n >= 290 && n <= 310 {
			c := Compress(body)
			require.LessOrEqual(t, len(c), 130)
			alone, ofThat = alone+len(c), ofThat+1
		}
		body, err = day(rnd, 64).Encode()
		require.NoError(t, err)
		plain += len(body)
		c := Compress(body)
		require.LessOrEqual(t, len(c), 64*90)
		batch += len(c)
	}
	require.Greater(t, ofThat, rounds/2)
	t.Logf("alone: %d bytes; of 64: %d each, %d before", alone/ofThat, batch/rounds/64, plain/rounds/64)
}

func TestTheDictionaryIsTheOneOfTheName(t *testing.T) {
	sum := sha256.Sum256([]byte(Dictionary()))
	require.Equal(t, DictionarySHA256, hex.EncodeToString(sum[:]), "another dictionary needs another Coding")
	require.Equal(t, "tallystick-flate-1", Coding)
	require.Less(t, len(Dictionary()), 32<<10, "deflate looks no further back")
}
