package alarm

import (
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
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	var optional []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE || !strings.Contains(strings.Join(strings.Fields(decl.Doc.Text()), " "), "optional on an Uplink") {
				continue
			}
			methods := decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType)
			for _, m := range methods.Methods.List {
				optional = append(optional, m.Names[0].Name)
			}
		}
	}
	require.Subset(t, optional, []string{"Prepare", "Window", "LateAnswers"})
	for _, method := range optional {
		for _, wrapped := range []any{&Uplink{}, &HostUplink{}} {
			_, has := reflect.TypeOf(wrapped).MethodByName(method)
			require.True(t, has, "%T lacks %s", wrapped, method)
		}
	}
}

// bare is an uplink without anything optional.
type bare struct{ queue.Uplink }

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
