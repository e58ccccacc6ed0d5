package alarm

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

var (
	_ queue.Preparer     = (*Uplink)(nil)
	_ queue.Windower     = (*Uplink)(nil)
	_ queue.LateAnswerer = (*Uplink)(nil)
	_ reconcile.Host     = (*HostUplink)(nil)
	_ Host               = reconcile.Host(nil)
)

// Whatever package queue asks of an uplink optionally is passed on: an
// interface that is added there fails here until it is.
func TestEveryOptionalInterfaceIsPassedOn(t *testing.T) {
	uplink := optionalOn(t, "../*.go", "optional on an Uplink")
	require.Subset(t, uplink, []string{"Prepare", "Window", "LateAnswers"})
	requireMethods(t, &Uplink{}, uplink)
	requireMethods(t, &HostUplink{}, uplink)
	requireMethods(t, &HostUplink{}, optionalOn(t, "../../reconcile/*.go", "optional on a Host"))
}

func requireMethods(t *testing.T, wrapped any, names []string) {
	t.Helper()
	for _, name := range names {
		_, has := reflect.TypeOf(wrapped).MethodByName(name)
		require.True(t, has, "%T lacks %s", wrapped, name)
	}
}

// optionalOn returns the methods of the interfaces whose documentation says so.
func optionalOn(t *testing.T, glob, says string) (optional []string) {
	files, err := filepath.Glob(glob)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE || !strings.Contains(strings.Join(strings.Fields(decl.Doc.Text()), " "), says) {
				continue
			}
			methods := decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType)
			for _, m := range methods.Methods.List {
				optional = append(optional, m.Names[0].Name)
			}
		}
	}
	return optional
}

// bare is an uplink without anything optional.
type bare struct{ queue.Uplink }

// settling has what a host link may leave out.
type settling struct{ Host }

func (settling) PerCurrency() bool            { return true }
func (settling) DetailRank(e queue.Entry) int { return int(e.ID) }
func (settling) EndTotals(context.Context, queue.Batch, queue.Totals, bool) (queue.Answer, error) {
	return queue.Answer{Code: "00"}, nil
}

func TestWrappedHostIsAsItWas(t *testing.T) {
	m := &Monitor{lines: map[queue.Lane]*line{}, kept: map[queue.Lane]*history{}}
	type bareHost struct{ Host }
	h := m.Host(testLane, bareHost{})
	require.False(t, h.PerCurrency())
	require.Zero(t, h.DetailRank(queue.Entry{ID: 9}))
	_, err := h.EndTotals(t.Context(), queue.Batch{}, queue.Totals{}, true)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	h = m.Host(testLane, settling{})
	require.True(t, h.PerCurrency())
	require.Equal(t, 9, h.DetailRank(queue.Entry{ID: 9}))
	a, err := h.EndTotals(t.Context(), queue.Batch{}, queue.Totals{}, true)
	require.NoError(t, err)
	require.Equal(t, "00", a.Code)
}

// full has it all.
type full struct{ bare }

func (full) Window() int                     { return 7 }
func (full) LateAnswers() []queue.LateAnswer { return []queue.LateAnswer{{ID: 3}} }

func TestWrappedUplinkIsAsItWas(t *testing.T) {
	m := &Monitor{lines: map[queue.Lane]*line{}, kept: map[queue.Lane]*history{}}
	u := m.Uplink(testLane, bare{})
	require.Equal(t, 1, u.Window())
	require.Empty(t, u.LateAnswers())
	line, err := u.Prepare(t.Context())
	require.NoError(t, err)
	require.Zero(t, line)
	u = m.Uplink(testLane, full{})
	require.Equal(t, 7, u.Window())
	require.Equal(t, []queue.LateAnswer{{ID: 3}}, u.LateAnswers())
}
