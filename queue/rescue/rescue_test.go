package rescue_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/rescue"
)

var lane = queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}

func openIn(dir string) *queue.Queue {
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	return q
}

func sell(q *queue.Queue, ref string) error {
	_, err := q.Append(context.Background(), queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.CardTender,
		Approval: "Y1", Data: make([]byte, 1000), Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret("6221558812340000")}})
	return err
}

func Example() {
	ctx := context.Background()
	owner, _ := age.GenerateX25519Identity() // made once, kept in the owner's safe

	dying, _ := os.MkdirTemp("", "dying")
	defer func() { _ = os.RemoveAll(dying) }()
	q := openIn(dying)
	_ = sell(q, "order-1")
	var file bytes.Buffer
	n, err := rescue.Export(ctx, q, &file, owner.Recipient())
	fmt.Println(n, err)
	_ = q.Close()

	next, _ := os.MkdirTemp("", "next")
	defer func() { _ = os.RemoveAll(next) }()
	other := openIn(next)
	done, err := rescue.Import(ctx, other, bytes.NewReader(file.Bytes()), owner)
	fmt.Println(done.Entries, err)
	e, _ := other.ByRef(ctx, "order-1")
	fmt.Println(e.STAN, e.Amount, e.MaskedPAN)
	_ = other.Close()
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 000001 12.50 CNY 622155******0000
}

// What is cut short, changed, or sealed to another is refused whole; the card
// cannot be read in the file.
func TestSealedFile(t *testing.T) {
	ctx := context.Background()
	q, other := openIn(t.TempDir()), openIn(t.TempDir())
	defer func() { _, _ = q.Close(), other.Close() }()
	for i := range 100 { // more than one of age's chunks
		require.NoError(t, sell(q, fmt.Sprint("order-", i)))
	}
	owner, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	stranger, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	var w bytes.Buffer
	_, err = rescue.Export(ctx, q, &w)
	require.Error(t, err, "no recipient")
	require.Zero(t, w.Len())
	_, err = rescue.Export(ctx, q, &w, owner.Recipient())
	require.NoError(t, err)
	b := w.Bytes()
	require.Greater(t, len(b), 1<<16)
	require.False(t, bytes.Contains(b, []byte("6221558812340000")))

	refused := func(b []byte, id age.Identity) {
		_, err := rescue.Import(ctx, other, bytes.NewReader(b), id)
		require.ErrorIs(t, err, queue.ErrDamaged)
		for range other.All(ctx, queue.Filter{}) {
			t.Fatal("something was journalled")
		}
	}
	refused(b, stranger)
	for _, n := range []int{0, 10, 200, 1 << 16, len(b) - 1} {
		refused(b[:n], owner)
		bad := bytes.Clone(b)
		bad[n] ^= 1
		refused(bad, owner)
	}
	refused(append(bytes.Clone(b), 0), owner)
	done, err := rescue.Import(ctx, other, bytes.NewReader(b), owner)
	require.NoError(t, err)
	require.Equal(t, 100, done.Entries)
	require.NoError(t, other.Verify(ctx))
}
