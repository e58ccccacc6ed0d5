package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// manage is a management message, which takes no STAN.
func (p *pos) manage(t codec.MTI, network int, de62 string) *codec.Message {
	m := p.message(t, codec.Private60{Batch: p.batch, Network: network})
	if de62 != "" {
		require.NoError(p.t, m.SetBytes(62, []byte(de62)))
	}
	return m
}

func TestAskedForParametersAndStatus(t *testing.T) {
	s := start(t, Config{Parameters: codec.Parameters62{List: []codec.Parameter{{Tag: codec.ParamTimeout, Value: "45"}}}})
	p := open(t, s.Addr().String())
	asks := func() codec.Processing {
		p.send(p.echo())
		f, err := codec.Framing{}.Read(p, nil)
		require.NoError(t, err)
		return f.Header.Processing()
	}
	require.Equal(t, codec.ProcessNothing, asks())
	require.NoError(t, s.Ask(testTerminal, codec.ProcessStripeParams))
	require.Equal(t, codec.ProcessStripeParams, asks())
	a := p.ask(p.manage(mtiSignIn, codec.NetParameters, ""))
	raw, _ := a.Bytes(62)
	require.Equal(t, "1245", string(raw))
	require.Equal(t, codec.ProcessStripeParams, asks(), "until the terminal says that it has them")
	require.Equal(t, "00", p.codeOf(p.manage(mtiSignIn, codec.NetParametersEnd, "")))
	require.Equal(t, codec.ProcessNothing, asks())

	require.NoError(t, s.Ask(testTerminal, codec.ProcessUploadStatus))
	require.Equal(t, "30", p.codeOf(p.manage(mtiNetwork, codec.NetStatus, "")))
	require.Equal(t, "30", p.codeOf(p.manage(mtiNetwork, codec.NetStatus, "011x")))
	require.Equal(t, codec.ProcessUploadStatus, asks())
	require.Equal(t, "00", p.codeOf(p.manage(mtiNetwork, codec.NetStatus, "011020")))
	require.Equal(t, codec.ProcessNothing, asks())

	require.NoError(t, s.Ask(testTerminal, codec.ProcessSignIn))
	require.Equal(t, codec.ProcessSignIn, asks())
	p.signIn(codec.NetSignInDouble)
	require.Equal(t, codec.ProcessNothing, asks())
	require.Error(t, s.Ask("99999999", codec.ProcessSignIn))
	require.Error(t, s.askOn("10000001 9"))
	require.Error(t, s.askOn("10000001"))
	require.NoError(t, s.askOn("10000001 2"))
	require.Equal(t, codec.ProcessUploadStatus, asks())
}
