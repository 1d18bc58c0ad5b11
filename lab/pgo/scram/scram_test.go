package scram

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exchange of RFC 7677, section 3, is of this password and salt; its ServerSignature and ClientProof follow from
// these keys.
func TestVerifierOfTheStandardsExample(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	require.NoError(t, err)
	got, err := withSalt("pencil", salt)
	require.NoError(t, err)
	require.Equal(t, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", got)
	other, err := Verifier("pencil")
	require.NoError(t, err)
	require.NotEqual(t, got, other)
	require.Len(t, other, 133)
}
