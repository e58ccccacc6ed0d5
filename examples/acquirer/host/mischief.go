package host

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
)

// Mischief is how the host misbehaves. The fields of type float64 are
// probabilities from 0 to 1 for each message; the zero value behaves. Of
// LoseRequest, LoseAnswer and Cut the first that strikes a message decides; the
// others can come together.
type Mischief struct {
	Only []codec.MTI // the messages it strikes (not Down); nil: all

	LoseRequest float64 // read, and nothing more
	LoseAnswer  float64 // booked, not answered
	Cut         float64 // booked, half of the answer sent, then the connection closed
	Late        float64 // booked, answered after LateBy; what follows on the connection is not held up
	LateBy      time.Duration
	Twice       float64 // answered twice
	Foreign     float64 // answered with another merchant in DE 42, under a valid MAC

	Refuse     float64 // RefuseCode instead of booking a new 0200 or 0220
	RefuseCode string  // two characters

	Forget int // so many of the next debits are answered 00 and not booked

	DownEvery, DownFor time.Duration // after each DownEvery: no listener and no connection for DownFor
}

// Check says what is wrong with m, if anything.
func (m Mischief) Check() error {
	names := []string{"lose-request", "lose-answer", "cut", "late", "twice", "foreign", "refuse"}
	for i, p := range []float64{m.LoseRequest, m.LoseAnswer, m.Cut, m.Late, m.Twice, m.Foreign, m.Refuse} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%s: a probability is a number from 0 to 1", names[i])
		}
	}
	switch {
	case m.Refuse > 0 && (len(m.RefuseCode) != 2 || m.RefuseCode == "00"):
		return errors.New("refuse: a response code has two characters and is not 00")
	case m.LateBy < 0 || m.DownEvery < 0 || m.DownFor < 0 || m.Forget < 0:
		return errors.New("late-by, down-every, down-for and forget are not negative")
	case m.DownEvery > 0 && m.DownFor == 0:
		return errors.New("down-every needs down-for")
	}
	return nil
}

// fate is what mischief has decided for one message.
type fate struct {
	loseRequest, loseAnswer, cut, twice, foreign bool
	late                                         time.Duration
	refuse                                       string
	forget                                       bool
}

// String names the fate for the log; empty when nothing strikes.
func (f fate) String() string {
	switch {
	case f.loseRequest:
		return "lose-request"
	case f.loseAnswer:
		return "lose-answer"
	case f.cut:
		return "cut"
	case f.foreign:
		return "foreign"
	case f.late > 0:
		return "late"
	case f.twice:
		return "twice"
	}
	return ""
}

// imp draws fates from a seed. It is safe for concurrent use.
type imp struct {
	mu      sync.Mutex
	m       Mischief
	rng     *rand.Rand
	changed chan struct{} // closed and replaced at each set
}

func newImp(seed uint64, m Mischief) *imp {
	return &imp{m: m, rng: rand.New(rand.NewPCG(seed, 0x7461_6c6c_79)), changed: make(chan struct{})}
}

func (i *imp) set(m Mischief) {
	m.Only = slices.Clone(m.Only)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.m = m
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *imp) get() (Mischief, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.m, i.changed
}

// draw decides the fate of one message. It draws the same number of times
// whatever comes out, so that one seed gives one day.
func (i *imp) draw(mti codec.MTI) fate {
	i.mu.Lock()
	defer i.mu.Unlock()
	strikes := func(p float64) bool { return i.rng.Float64() < p }
	f := fate{
		loseRequest: strikes(i.m.LoseRequest),
		loseAnswer:  strikes(i.m.LoseAnswer),
		cut:         strikes(i.m.Cut),
		twice:       strikes(i.m.Twice),
		foreign:     strikes(i.m.Foreign),
	}
	if strikes(i.m.Late) {
		f.late = i.m.LateBy
	}
	if strikes(i.m.Refuse) {
		f.refuse = i.m.RefuseCode
	}
	if len(i.m.Only) > 0 && !slices.Contains(i.m.Only, mti) {
		return fate{}
	}
	f.forget = i.m.Forget > 0 && !f.loseRequest && !f.loseAnswer && !f.cut && !f.foreign
	return f
}

// forgot counts one booking off Forget.
func (i *imp) forgot() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m.Forget > 0 {
		i.m.Forget--
	}
}
