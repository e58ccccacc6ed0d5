package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// A host reads what a device submits, and answers each entry. One that keeps the
// answers of what it has booked is all that is needed.
func Example() {
	booked := map[wire.Key]wire.Answer{}
	host := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := wire.ReadSubmission(r)
		var p *wire.Problem
		if errors.As(err, &p) {
			_ = p.Write(w)
			return
		}
		answers := wire.AnswersTo(s)
		for _, e := range s.Entries {
			if _, again := booked[e.Key]; !again {
				booked[e.Key] = wire.AnswerTo(e, wire.Approved)
			}
			answers.Answers = append(answers.Answers, booked[e.Key])
		}
		body, err := answers.Encode()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = wire.WriteJSON(w, r, body)
	})

	s := exampleSubmission()
	body, err := s.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, wire.EntriesPath, bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(wire.KeyHeader, s.Key().Header())
		w := httptest.NewRecorder()
		host.ServeHTTP(w, r)
		a, err := wire.DecodeAnswers(w.Body.Bytes())
		fmt.Println(w.Code, len(booked), a.Answers[0].Seq, a.Answers[0].Verdict, err)
	}
	// Output:
	// 200 1 17 approved <nil>
	// 200 1 17 approved <nil>
}

func exampleSubmission() wire.Submission {
	s := wire.Submission{Journal: wire.JournalID{0xde, 0xad}, Epoch: 1,
		Lane: queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"},
		Entries: []wire.Entry{{Seq: 17, Kind: queue.Advice, Op: queue.Sale, Tender: queue.Cash, Ref: "parcel-1", STAN: 17,
			Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, Time: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}}}
	s.Entries[0].Key = s.KeyFor(s.Entries[0])
	return s
}

func ExampleSubmission_Encode() {
	body, err := exampleSubmission().Encode()
	fmt.Println(strings.ReplaceAll(string(body), `"entries"`, "\n"+`"entries"`), err)
	// Output:
	// {"journal":"3q0AAAAAAAAAAAAAAAAAAA","epoch":1,"host":"depot","merchant":"898100000000001","terminal":"10000001",
	// "entries":[{"seq":17,"kind":"advice","op":"sale","tender":"cash","ref":"parcel-1","stan":17,"amount":1250,"currency":"156","time":"2026-11-22T09:00:00.000Z"}]} <nil>
}

// An entry is what its device journalled, or it is refused.
func ExampleDecodeSubmission() {
	s := exampleSubmission()
	body, err := s.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = wire.DecodeSubmission(bytes.Replace(body, []byte(`"amount":1250`), []byte(`"amount":12`), 1), s.Key())
	fmt.Println(err)
	_, err = wire.DecodeSubmission(bytes.Replace(body, []byte(`"stan":17`), []byte(`"stan":"17"`), 1), s.Key())
	fmt.Println(err)
	// Output:
	// 422 Idempotency-Key is not that of the body at /entries/0: the key is not the beginning of the entry's digest: it is another's, or the content was changed
	// 400 The body cannot be read at /entries/0/stan: /entries/0/stan (byte 205): is not an integer of 1 to 999999
}

func ExampleKeyOf() {
	h := http.Header{}
	_, err := wire.KeyOf(h)
	fmt.Println(err)
	h.Set(wire.KeyHeader, exampleSubmission().Key().Header())
	k, err := wire.KeyOf(h)
	fmt.Println(k == exampleSubmission().Key(), err)
	// Output:
	// 400 Idempotency-Key is missing: the request needs an Idempotency-Key
	// true <nil>
}

func ExampleReadBody() {
	body, err := exampleSubmission().Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	small := wire.Compress(body)
	again, err := wire.ReadBody(bytes.NewReader(small), wire.Coding, wire.MaxRequest)
	fmt.Println(len(small) < len(body)/2, bytes.Equal(again, body), err)
	_, err = wire.ReadBody(bytes.NewReader(small), wire.Coding, 100)
	fmt.Println(err)
	// Output:
	// true true <nil>
	// the body is too large: allowed are up to 100 bytes
}

func ExampleProblem_Write() {
	w := httptest.NewRecorder()
	p := wire.NewProblem(wire.ProblemBusy, "the batch is being settled")
	p.RetryAfter = 20 * time.Second
	fmt.Println(p.Write(w), w.Code, w.Header().Get("Retry-After"))
	fmt.Println(w.Body)
	got, err := wire.DecodeProblem(w.Code, w.Body.Bytes())
	fmt.Println(got.Type, err)
	// Output:
	// <nil> 503 20
	// {"type":"https://github.com/tallystick/tallystick/problems/busy","title":"Busy, nothing was booked","status":503,"detail":"the batch is being settled"}
	// busy <nil>
}

func ExampleRetryAfter() {
	h := http.Header{"Retry-After": {"90"}}
	fmt.Println(wire.RetryAfter(h, time.Now(), time.Hour), wire.RetryAfter(h, time.Now(), time.Minute))
	// Output: 1m30s 1m0s
}

func ExampleLaneOf() {
	r := httptest.NewRequest(http.MethodGet, wire.LinePath+"?host=depot&merchant=898100000000001&terminal=10000001", nil)
	lane, err := wire.LaneOf(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	line := wire.NewLine(lane, time.Now())
	line.MaxEntries = 64
	got, err := wire.DecodeLine(line.Encode())
	fmt.Println(got.Lane, got.MaxEntries, got.Compressed(), err)
	// Output: depot/898100000000001/10000001 64 true <nil>
}

// What a device makes of an entry; nothing of the card goes with it but its
// masked number, unless it is added.
func ExampleFromQueue() {
	e := queue.Entry{ID: 17, Kind: queue.Advice, STAN: 17, MaskedPAN: "621626*********0018", Transaction: queue.Transaction{Ref: "parcel-1",
		Op: queue.Sale, Tender: queue.CardTender, Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, Approval: "Y1",
		Card: queue.Card{PAN: queue.NewSecret("6216261000000000018")}, Time: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}}
	w, journal := wire.FromQueue(e, wire.JournalID{0xde, 0xad})
	fmt.Println(journal, w.Seq, w.MaskedPAN, w.Card)
	w.Card = wire.CardFromQueue(e.Card)
	fmt.Printf("%+v\n", w.Card.PAN)
	// Output:
	// 3q0AAAAAAAAAAAAAAAAAAA 17 621626*********0018 <nil>
	// ***
}
