package codec_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

func TestOrganisation(t *testing.T) {
	for pan, org := range map[string]string{
		"6216261000000000018": codec.OrgUnionPay, "621626*********0018": codec.OrgUnionPay, "8171999900000018": codec.OrgUnionPay,
		"4111111111111111": codec.OrgVisa, "5500000000000004": codec.OrgMasterCard, "2221000000000009": codec.OrgMasterCard,
		"2720990000000007": codec.OrgMasterCard, "2721000000000000": codec.OrgUnknown, "2220990000000000": codec.OrgUnknown,
		"340000000000009": codec.OrgAmex, "378282246310005": codec.OrgAmex, "3530111333300000": codec.OrgJCB,
		"30569309025904": codec.OrgDiners, "36148900647913": codec.OrgDiners, "6759649826438453": codec.OrgMaestro,
		"9999990000000000": codec.OrgUnknown, "": codec.OrgUnknown, "62": codec.OrgUnknown, "***": codec.OrgUnknown, "41111x": codec.OrgUnknown,
	} {
		require.Equal(t, org, codec.Organisation(pan), pan)
	}
	require.True(t, codec.ForeignOrg("AMX"))
	require.False(t, codec.ForeignOrg(codec.OrgUnknown))
	require.False(t, codec.ForeignOrg(codec.OrgUnionPay))
}

func ExampleOrganisation() {
	org := codec.Organisation("411111******1111")
	fmt.Println(org, codec.ForeignOrg(org))
	// Output: VIS true
}
