package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Told is the body of a POST to RetellPath: a wire.Submission of one entry, and
// the answer that the device had for it.
type Told struct {
	Submission json.RawMessage `json:"submission"`
	Partial    int64           `json:"partial,omitempty"` // what was approved of the amount, where it was not all
	Code       string          `json:"code,omitempty"`
	RRN        string          `json:"rrn,omitempty"`
	AuthCode   string          `json:"auth,omitempty"`
	Time       time.Time       `json:"time,omitzero"`
}

func (l *Ledger) serveRetell(w http.ResponseWriter, r *http.Request, d Device) error {
	key, err := wire.KeyOf(r.Header)
	if err != nil {
		return err
	}
	var told Told
	if err := readJSON(r, &told); err != nil {
		return err
	}
	in, err := wire.DecodeSubmission(told.Submission, key)
	if err != nil {
		return err
	}
	a := clip(queue.Answer{Verdict: queue.Approved, Code: told.Code, RRN: told.RRN, AuthCode: told.AuthCode, HostTime: told.Time.Truncate(time.Millisecond)})
	if told.Partial != 0 {
		a.Verdict, a.Approved = queue.Partial, queue.Money{Minor: told.Partial, Currency: in.Entries[0].Amount.Currency}
		if !decides(a, in.Entries[0].Amount) {
			return &InvalidError{"partial", "is not less than the amount"}
		}
	}
	res, err := l.Retell(r.Context(), d.Name, in, a)
	if err != nil {
		return err
	}
	if err := wholeProblem([]Result{res}); err != nil {
		return err
	}
	if res.Err == nil {
		l.log.Warn("an entry was told again", "device", d.Name, "entry", res.Booking.Identity.String(), "repeat", res.Repeat)
	}
	out := wire.AnswersTo(in)
	answer := answerOf(in.Entries[0], res)
	if res.Err == nil && res.Repeat && answer.Verdict == wire.Approved {
		answer.Verdict = wire.Duplicate // it was here
	}
	out.Answers = append(out.Answers, answer)
	body, err := out.Encode()
	if err != nil {
		return err
	}
	_ = wire.WriteJSON(w, r, body) // nobody is left to be told
	return nil
}

// ReceiptRequest is the body of a POST to ReceiptPath.
type ReceiptRequest struct {
	Journal string      `json:"journal"` // as in a wire.Submission
	Ranges  [][2]uint64 `json:"ranges"`  // first and last sequence of each, ascending
}

func (l *Ledger) serveReceipt(w http.ResponseWriter, r *http.Request, d Device) error {
	var in ReceiptRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	journal, err := ParseJournal(in.Journal)
	if err != nil {
		return err
	}
	var asked []agree.Range
	for _, x := range in.Ranges {
		asked = append(asked, agree.Range{From: x[0], To: x[1]})
	}
	signed, err := l.Receipt(r.Context(), d.Name, journal, asked)
	if err != nil {
		return err
	}
	return writeBytes(w, signed)
}

// ParseJournal reads what wire.JournalID.String wrote. The error is an
// *InvalidError.
func ParseJournal(s string) ([16]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 16 || [16]byte(b) == [16]byte{} {
		return [16]byte{}, &InvalidError{"journal", "is not 22 characters of base64url"}
	}
	return [16]byte(b), nil
}

// ClaimRequest is the body of a POST to ClaimPath and ReleasePath.
type ClaimRequest struct {
	Journal string `json:"journal"`
	Key     string `json:"key"`
}

// ClaimAnswer tells which journal holds the key.
type ClaimAnswer struct {
	Holder string    `json:"holder"`
	Since  time.Time `json:"since"`
}

func (l *Ledger) serveClaim(w http.ResponseWriter, r *http.Request, d Device) error {
	journal, name, err := readClaim(r)
	if err != nil {
		return err
	}
	holder, since, err := l.Claim(r.Context(), d.Name, journal, name)
	if err != nil {
		return err
	}
	return writeJSON(w, ClaimAnswer{wire.JournalID(holder).String(), since})
}

func (l *Ledger) serveRelease(w http.ResponseWriter, r *http.Request, d Device) error {
	journal, name, err := readClaim(r)
	if err == nil {
		err = l.Release(r.Context(), d.Name, journal, name)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func readClaim(r *http.Request) (journal [16]byte, name string, err error) {
	var in ClaimRequest
	if err := readJSON(r, &in); err != nil {
		return journal, "", err
	}
	journal, err = ParseJournal(in.Journal)
	return journal, in.Key, err
}

// Aside is one element of the answer to a GET of ConflictsPath, which is an array
// of the first 256 conflicts.
type Aside struct {
	Why      string    `json:"why"`
	Sequence uint64    `json:"seq"`
	Epoch    uint64    `json:"epoch"`
	Ref      string    `json:"ref"`
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	Seen     time.Time `json:"seen"`
	Held     string    `json:"held,omitempty"` // the key that another journal holds
	// Of what it collides with:
	AgainstJournal  string `json:"againstJournal"`
	AgainstSequence uint64 `json:"againstSeq,omitempty"`
	AgainstRef      string `json:"againstRef,omitempty"`
}

const maxAsides = 256

func (l *Ledger) serveConflicts(w http.ResponseWriter, r *http.Request, d Device) error {
	journal, err := ParseJournal(r.URL.Query().Get("journal"))
	if err != nil {
		return err
	}
	err = l.engine.View(r.Context(), func(tx Tx) error {
		_, err := ownBook(tx, journal, d.Name, l.opts)
		return err
	})
	if err != nil {
		return err
	}
	out := []Aside{}
	for c, err := range l.Conflicts(r.Context(), journal) {
		if err != nil {
			return err
		}
		if len(out) == maxAsides {
			break
		}
		out = append(out, Aside{Why: c.Why.String(), Sequence: uint64(c.Entry.Sequence), Epoch: c.Entry.Epoch, Ref: c.Ref,
			Amount: c.Amount.Minor, Currency: c.Amount.Currency.Numeric(), Seen: c.Seen, Held: c.Held,
			AgainstJournal: wire.JournalID(c.Against.Journal).String(), AgainstSequence: uint64(c.Against.Sequence), AgainstRef: c.AgainstRef})
	}
	return writeJSON(w, out)
}

// Announcement is the body of a POST to AttachmentsPath. The answer is 204 with
// Upload-Offset and Upload-Complete.
type Announcement struct {
	Journal  string `json:"journal"`
	Sequence uint64 `json:"seq"`  // of the entry that it belongs to
	Hash     string `json:"hash"` // SHA-256 of the content, in hex
	Size     int64  `json:"size"`
	Type     string `json:"type"` // media type
}

func (l *Ledger) serveAnnounce(w http.ResponseWriter, r *http.Request, d Device) error {
	var in Announcement
	if err := readJSON(r, &in); err != nil {
		return err
	}
	journal, err := ParseJournal(in.Journal)
	if err != nil {
		return err
	}
	hash, err := parseHash(in.Hash)
	if err != nil {
		return err
	}
	if in.Sequence < 1 || in.Sequence > agree.MaxSequence {
		return &InvalidError{"seq", "is required, from 1"}
	}
	a, err := l.Announce(r.Context(), journal, queue.ID(in.Sequence), Attachment{Device: d.Name, Hash: hash, Size: in.Size, Type: in.Type})
	if err != nil {
		return err
	}
	return tellOffset(w, a)
}

func parseHash(s string) (out [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(out) {
		return out, &InvalidError{"hash", "is not a SHA-256 in hex"}
	}
	return [sha256.Size]byte(b), nil
}

// setOffset tells how far an upload is, in the fields of the IETF's draft of
// resumable uploads.
func setOffset(h http.Header, have int64, complete bool) {
	h.Set("Upload-Offset", strconv.FormatInt(have, 10))
	h.Set("Upload-Complete", map[bool]string{true: "?1", false: "?0"}[complete])
	h.Set("Cache-Control", "no-store")
}

func tellOffset(w http.ResponseWriter, a Attachment) error {
	setOffset(w.Header(), a.Have, a.Complete)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (l *Ledger) serveOffset(w http.ResponseWriter, r *http.Request, d Device) error {
	if r.Method != http.MethodHead {
		w.Header().Set("Allow", "HEAD, PATCH")
		return &wire.Problem{Status: http.StatusMethodNotAllowed, Title: http.StatusText(http.StatusMethodNotAllowed)}
	}
	hash, err := parseHash(r.PathValue("hash"))
	if err != nil {
		return err
	}
	a, err := l.Attachment(r.Context(), d.Name, hash)
	if err != nil {
		return err
	}
	return tellOffset(w, a)
}

// PartMedia is the media type of the PATCH that sends a part of an attachment,
// from its Upload-Offset on.
const PartMedia = "application/partial-upload"

func (l *Ledger) servePart(w http.ResponseWriter, r *http.Request, d Device) error {
	hash, err := parseHash(r.PathValue("hash"))
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Type") != PartMedia {
		return wire.NewProblem(wire.ProblemMediaType, "the Content-Type has to be "+PartMedia)
	}
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return &InvalidError{"Upload-Offset", "is required"}
	}
	a, err := l.Receive(r.Context(), d.Name, hash, offset, r.Body)
	if err != nil {
		return err
	}
	return tellOffset(w, a)
}
