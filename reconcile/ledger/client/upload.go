package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// Announce tells the ledger of an attachment of an entry, and returns how many
// bytes of it are there, and whether it is complete.
//
// Errors: *wire.Problem, those of the line.
func (c *Client) Announce(ctx context.Context, id queue.ID, hash [sha256.Size]byte, size int64, media string) (have int64, complete bool, err error) {
	b, err := jsonOf(ledger.Announcement{Journal: wire.JournalID(c.journal.JournalID()).String(), Sequence: uint64(id),
		Hash: hex.EncodeToString(hash[:]), Size: size, Type: media})
	if err != nil {
		return 0, false, err
	}
	h, _, err := c.call(ctx, http.MethodPost, ledger.AttachmentsPath, jsonHeader(), strings.NewReader(b), 0)
	if err != nil {
		return 0, false, err
	}
	return offset(h)
}

// Part sends bytes of an attachment from offset have on and returns how many are
// there then. ok is false when the ledger has another number of bytes, which
// is then returned: go on from there.
//
// Errors: *wire.Problem, of which status 422 means that all bytes were there and
// were not those of the hash (they are gone, and it begins anew); those of the
// line, after which Announce tells how many bytes came.
func (c *Client) Part(ctx context.Context, hash [sha256.Size]byte, have int64, part io.Reader) (now int64, complete, ok bool, err error) {
	header := http.Header{"Content-Type": {ledger.PartMedia}, "Upload-Offset": {strconv.FormatInt(have, 10)}}
	h, _, err := c.call(ctx, http.MethodPatch, ledger.AttachmentsPath+"/"+hex.EncodeToString(hash[:]), header, part, 0)
	var p *wire.Problem
	if errors.As(err, &p) && p.Status == http.StatusConflict && h.Get("Upload-Offset") != "" {
		now, complete, err = offset(h)
		return now, complete, false, err
	}
	if err != nil {
		return 0, false, false, err
	}
	now, complete, err = offset(h)
	return now, complete, true, err
}

func offset(h http.Header) (int64, bool, error) {
	n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	if err != nil || n < 0 || n > ledger.MaxAttachment {
		return 0, false, errors.New("the ledger does not tell how much is there")
	}
	return n, h.Get("Upload-Complete") == "?1", nil
}
