package isolink

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/codec"
)

const (
	choreTime  = 2 * time.Second // for one chore
	choreTries = 3               // until the host stops asking
	choreRest  = time.Minute     // from a chore that was done to the next of its kind
)

// chores are what the host has asked for in a header, and what came of it.
type chores struct {
	ask    codec.Processing
	of     map[codec.Processing]chore
	since  time.Time // when the counting began
	dials  int
	failed int // of the dials
}

type chore struct {
	tries int
	done  time.Time
}

// noteProcessing takes note of what a header asks for. A sign-in is heeded
// elsewhere.
func (l *Link) noteProcessing(h codec.Header) {
	p := l.processing(h)
	if p == codec.ProcessSignIn {
		return
	}
	l.mu.Lock()
	fresh := p != codec.ProcessNothing && p != l.chores.ask
	l.chores.ask = p
	if p == codec.ProcessNothing {
		for k, c := range l.chores.of {
			c.tries = 0
			l.chores.of[k] = c
		}
	}
	l.mu.Unlock()
	if fresh {
		l.tell(Event{Kind: Asked, Processing: p})
	}
}

// due tells whether the host's wish p is to be met now: not once it was, until
// the host has stopped asking and a minute has passed, and not for ever where it
// cannot be.
func (l *Link) due(p codec.Processing) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chores.of[p]
	if l.chores.ask != p || c.tries >= choreTries || !c.done.IsZero() && time.Since(c.done) < choreRest {
		return false
	}
	if l.chores.of == nil {
		l.chores.of = map[codec.Processing]chore{}
	}
	c.tries++
	l.chores.of[p] = c
	return true
}

// did notes that the host's wish was met.
func (l *Link) did(p codec.Processing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chores.of[p] = chore{tries: choreTries, done: time.Now()}
}

// doChores does what the host has asked for. Payments do not depend on it: what
// fails is told and tried again before a later one. It needs the turn.
func (l *Link) doChores(ctx context.Context) {
	for p, do := range map[codec.Processing]func(context.Context) error{
		codec.ProcessStripeParams: l.download,
		codec.ProcessUploadStatus: l.upload,
	} {
		if !l.due(p) {
			continue
		}
		wait := choreTime
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)/2)
		}
		short, cancel := context.WithTimeout(ctx, wait)
		err := do(short)
		cancel()
		if err == nil {
			l.did(p)
		}
		l.tell(Event{Kind: Obeyed, Processing: p, Err: err})
	}
}

// management sends one management message and wants code 00 for it.
func (l *Link) management(ctx context.Context, during string, t codec.MTI, network int, fill func(*fields)) (incoming, error) {
	c, err := l.connect(ctx)
	if err != nil {
		return incoming{}, err
	}
	f := l.managementMessage(t, network)
	fill(f)
	if f.err != nil {
		return incoming{}, f.err
	}
	in, err := l.converse(ctx, c, f.m)
	if err != nil {
		return in, lineError(during, err)
	}
	code, _ := in.m.Text(39)
	if r := l.opts.Codes(code); !r.Approved() {
		return in, &LineError{During: during, Reason: refusal(r), Code: code}
	}
	return in, nil
}

// download fetches the parameters (360), takes them into use, keeps them, and
// says so (361).
func (l *Link) download(ctx context.Context) error {
	const during = "parameter download"
	in, err := l.management(ctx, during, mtiSignIn, codec.NetParameters, func(*fields) {})
	if err != nil {
		return err
	}
	b, ok := in.m.Bytes(62)
	list, err := codec.ParseParameters62(b)
	if err == nil && !ok {
		err = &AnswerError{Type: in.m.Type(), DE: 62}
	}
	if err != nil {
		return &LineError{During: during, Reason: Broken, Err: err}
	}
	l.keep(func(k *kept) { k.Parameters, k.ParametersAt, k.list = b, time.Now(), list })
	_, err = l.management(ctx, during, mtiSignIn, codec.NetParametersEnd, func(*fields) {})
	return err
}

// Parameters are the host's as downloaded last, and when that was; the zero time
// if never. The link follows those that concern it, where Options leave them
// open: the answer time (12), the tries (13), the sign-off after a settlement
// (21). The others are the app's to follow, such as the reversals' tries (23).
func (l *Link) Parameters() (codec.Parameters62, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.list, l.kept.ParametersAt
}

// parameter is the number that the host gave for a tag.
func (l *Link) parameter(tag int) (n int, ok bool) {
	list, _ := l.Parameters()
	for _, p := range list.List {
		if v, err := strconv.Atoi(p.Value); err == nil && p.Tag == tag {
			n, ok = v, true
		}
	}
	return n, ok
}

// answerTime is how long an entry's answer is waited for.
func (l *Link) answerTime() time.Duration {
	if n, ok := l.parameter(codec.ParamTimeout); ok && n >= 5 && l.answerOpen {
		return time.Duration(n) * time.Second
	}
	return l.opts.AnswerTimeout
}

// tries is how often connecting and signing in are tried.
func (l *Link) tries() int {
	if n, ok := l.parameter(codec.ParamRedials); ok && n >= 1 && l.triesOpen {
		return n
	}
	return l.opts.Tries
}

// signsOff tells whether a settlement ends with a sign-off.
func (l *Link) signsOff() bool {
	n, _ := l.parameter(codec.ParamAutoSignOff)
	return n == 1 || l.opts.SignOffAfterBatch
}

// upload tells the host the terminal's state (362): what Options.Status says,
// the parameters in use, and how often dialling succeeded.
func (l *Link) upload(ctx context.Context) error {
	var list []codec.Parameter
	if l.opts.Status != nil {
		list = l.opts.Status()
	}
	params, _ := l.Parameters()
	list = append(append(list, params.List...), l.statistics())
	_, err := l.management(ctx, "status upload", mtiNetwork, codec.NetStatus, func(f *fields) {
		f.value(62, codec.Parameters62{List: list})
	})
	return err
}

// dialled counts a dial as one that failed, until dialWorked says otherwise.
func (l *Link) dialled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chores.dials == 0 {
		l.chores.since = time.Now()
	}
	l.chores.dials++
	l.chores.failed++
}

func (l *Link) dialWorked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chores.failed--
}

// statistics is element 51: hours, dials, and how many of 100 succeeded.
func (l *Link) statistics() codec.Parameter {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chores
	hours := min(int(time.Since(c.since).Hours()), 9999)
	rate := 100 * (c.dials - c.failed) / max(c.dials, 1)
	return codec.Parameter{Tag: codec.ParamStatistics, Value: fmt.Sprintf("%04d%05d%03d", hours, min(c.dials, 99999), rate)}
}
