package queue

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/internal/record"
)

// eventKind numbers stand in files: never change or reuse one.
type eventKind byte

const (
	evLane      eventKind = 1  // a lane was used for the first time
	evAppended  eventKind = 2  // an entry was journalled
	evAttempted eventKind = 3  // an attempt is about to send its first byte
	evAnswered  eventKind = 4  // an answer came
	evUnsent    eventKind = 5  // the attempt was proven unsent
	evSilent    eventKind = 6  // the wait ended without an answer
	evParked    eventKind = 7  // given up until a person looks
	evCancelled eventKind = 8  // withdrawn before any attempt
	evOffline   eventKind = 9  // a request proven unsent became an advice
	evResolved  eventKind = 10 // a person told the outcome
	evUnparked  eventKind = 11 // a person let it go on: not journalled any more
	evSTAN      eventKind = 12 // a STAN was drawn for a message outside the journal
	evClosed    eventKind = 13 // a batch was closed, the next one is open
	evMoved     eventKind = 14 // a never-attempted entry went to the open batch
	evHostBatch eventKind = 15 // the host books under another batch number
	evProgress  eventKind = 16 // a settlement got so far
	evSettled   eventKind = 17 // a batch was settled
	evPruned    eventKind = 18 // settled entries became stubs
	evEpoch     eventKind = 19 // the journal was restored from a copy
	evImported  eventKind = 20 // an entry came from another device
	evClock     eventKind = 21 // the device booted, or its wall clock jumped
	evWithdrawn eventKind = 23 // a deferred sale is not presented anew after its reversal
	evHeld      eventKind = 22 // an approval came that the device has to confirm
	evKept      eventKind = 40 // stands for the log before it: a lane, a batch, an entry or the clock
	evNoted     eventKind = 41 // an event of the log before it, which changes nothing any more
	evBound     eventKind = 42 // never-attempted entries were bound to the host's batch number
	evLifted    eventKind = 43 // a restored lane may sell again
	evForeign   eventKind = 44 // a batch came from another device
	evPaced     eventKind = 45 // how a lane's background goes on after a failure
	evRerouted  eventKind = 46 // a never-attempted sale went to another lane
	evReleased  eventKind = 47 // a person let it go on: a request in doubt is then reversed, an old advice sent
)

var eventNames = map[eventKind]string{evLane: "lane", evAppended: "appended", evAttempted: "attempted",
	evAnswered: "answered", evUnsent: "unsent", evSilent: "silent", evParked: "parked", evCancelled: "cancelled",
	evOffline: "taken offline", evResolved: "resolved", evUnparked: "unparked", evSTAN: "STAN drawn",
	evClosed: "batch closed", evMoved: "moved", evHostBatch: "host batch", evProgress: "settlement progress",
	evSettled: "batch settled", evClock: "clock", evHeld: "held", evPruned: "pruned", evEpoch: "epoch",
	evImported: "imported", evKept: "kept", evNoted: "noted", evBound: "bound", evLifted: "lifted", evForeign: "foreign batch", evWithdrawn: "withdrawn",
	evPaced: "paced", evRerouted: "moved to another lane", evReleased: "unparked"}

func (k eventKind) String() string {
	if n, ok := eventNames[k]; ok {
		return n
	}
	return fmt.Sprintf("unknown(%d)", byte(k))
}

// event is one change, with all that step needs to apply it.
type event struct {
	kind eventKind
	// at is the wall clock; it stamps, it never orders. The newest evClock
	// before an event tells the time since boot that belongs to it.
	at time.Time

	id       ID     // the entry
	lane     uint32 // the lane's number
	batch    uint32
	host     uint32 // host batch number
	stan     STAN
	reason   Reason
	entry    Entry // evAppended
	laneName Lane  // evLane
	answer   Answer
	text     string // approval, why
	who      string
	progress []byte
	boot     [16]byte      // evClock
	offset   time.Duration // evClock: wall clock less time since boot
	flag     bool          // evClosed: the host closed it (superseded)
	keep     keeping       // the events of keep.go
	pace     paceRecord    // evPaced, without its moments
}

func (ev event) encode() []byte {
	w := record.Writer{B: make([]byte, 0, 384)}
	w.Byte(byte(ev.kind))
	w.Time(ev.at)
	switch ev.kind {
	case evLane:
		w.Uint(uint64(ev.lane))
		encodeLaneName(&w, ev.laneName)
	case evAppended:
		w.Uint(uint64(ev.lane))
		encodeEntry(&w, ev.entry)
	case evAttempted:
		w.Uint(uint64(ev.id))
		w.Uint(uint64(ev.host))
	case evAnswered, evHeld:
		w.Uint(uint64(ev.id))
		encodeAnswer(&w, ev.answer)
	case evResolved:
		w.Uint(uint64(ev.id))
		encodeAnswer(&w, ev.answer)
		w.String(ev.who)
		w.String(ev.text)
	case evUnsent, evCancelled, evWithdrawn:
		w.Uint(uint64(ev.id))
	case evSilent:
		w.Uint(uint64(ev.id))
		w.Byte(byte(ev.reason))
	case evParked, evOffline:
		w.Uint(uint64(ev.id))
		w.String(ev.text)
	case evUnparked, evReleased:
		w.Uint(uint64(ev.id))
		w.String(ev.who)
		w.String(ev.text)
	case evSTAN:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.stan))
	case evClosed:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.batch))
		w.Bool(ev.flag)
	case evMoved:
		w.Uint(uint64(ev.id))
		w.Uint(uint64(ev.batch))
	case evHostBatch:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.host))
	case evProgress:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.batch))
		w.Bytes(ev.progress)
	case evSettled:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.batch))
	case evPaced:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.pace.failures))
		w.Uint(uint64(ev.pace.wait.Milliseconds()))
		w.Byte(byte(ev.pace.why))
		w.Uint(uint64(ev.pace.spread.Milliseconds()))
		w.Uint(uint64(ev.pace.ago.Milliseconds()))
	case evRerouted:
		w.Uint(uint64(ev.id))
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.batch))
		w.Uint(uint64(ev.stan))
		w.String(ev.who)
		w.String(ev.text)
	case evClock:
		w.Bytes(ev.boot[:])
		w.Int(ev.offset.Milliseconds())
	default:
		ev.encodeKeeping(&w)
	}
	return w.B
}

func decodeEvent(b []byte) (event, error) {
	r := record.NewReader(b)
	ev := event{kind: eventKind(r.Byte()), at: r.Time()}
	switch ev.kind {
	case evLane:
		ev.lane = uint32(r.Uint())
		ev.laneName = decodeLaneName(r)
	case evAppended:
		ev.lane = uint32(r.Uint())
		ev.entry = decodeEntry(r)
	case evAttempted:
		ev.id, ev.host = ID(r.Uint()), uint32(r.Uint())
	case evAnswered, evHeld:
		ev.id, ev.answer = ID(r.Uint()), decodeAnswer(r)
	case evResolved:
		ev.id, ev.answer = ID(r.Uint()), decodeAnswer(r)
		ev.who, ev.text = r.String(), r.String()
	case evUnsent, evCancelled, evWithdrawn:
		ev.id = ID(r.Uint())
	case evSilent:
		ev.id, ev.reason = ID(r.Uint()), Reason(r.Byte())
	case evParked, evOffline:
		ev.id, ev.text = ID(r.Uint()), r.String()
	case evUnparked, evReleased:
		ev.id, ev.who, ev.text = ID(r.Uint()), r.String(), r.String()
	case evSTAN:
		ev.lane, ev.stan = uint32(r.Uint()), STAN(r.Uint())
	case evClosed:
		ev.lane, ev.batch, ev.flag = uint32(r.Uint()), uint32(r.Uint()), r.Bool()
	case evMoved:
		ev.id, ev.batch = ID(r.Uint()), uint32(r.Uint())
	case evHostBatch:
		ev.lane, ev.host = uint32(r.Uint()), uint32(r.Uint())
	case evProgress:
		ev.lane, ev.batch = uint32(r.Uint()), uint32(r.Uint())
		ev.progress = append([]byte(nil), r.Bytes()...)
	case evSettled:
		ev.lane, ev.batch = uint32(r.Uint()), uint32(r.Uint())
	case evPaced:
		ev.lane, ev.pace.failures = uint32(r.Uint()), uint32(r.Uint())
		ev.pace.wait, ev.pace.why, ev.pace.spread, ev.pace.ago = millis(r), PaceReason(r.Byte()), millis(r), millis(r)
	case evRerouted:
		ev.id, ev.lane, ev.batch, ev.stan = ID(r.Uint()), uint32(r.Uint()), uint32(r.Uint()), STAN(r.Uint())
		ev.who, ev.text = r.String(), r.String()
	case evClock:
		copy(ev.boot[:], r.Bytes())
		ev.offset = time.Duration(r.Int()) * time.Millisecond
	default:
		if ev.decodeKeeping(r) {
			break
		}
		return event{}, fmt.Errorf("%w: an event of kind %d", ErrDamaged, ev.kind)
	}
	if err := r.Done(); err != nil {
		return event{}, fmt.Errorf("%w: %s event: %w", ErrDamaged, ev.kind, err)
	}
	return ev, nil
}
