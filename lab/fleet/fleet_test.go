package fleet

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/lab/layout"
)

func TestRatesAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"100mbit", "1gbit", "250kbit", "64001bit", "none"} {
		rate, err := ParseRate(text)
		require.NoError(t, err)
		require.Equal(t, text, rate.String())
	}
	rate, err := ParseRate("2.5gbit")
	require.NoError(t, err)
	require.Equal(t, "2500mbit", rate.String())
	for _, wrong := range []string{"", "100", "mbit", "-5mbit", "10bit", "100 mbit", "fast"} {
		_, err := ParseRate(wrong)
		require.ErrorContains(t, err, "such as 100mbit", wrong)
	}
}

func TestBucketHoldsAWholeBatchOfSegments(t *testing.T) {
	require.Contains(t, Rate(1e6).tc("eth0"), "81920")
	require.Contains(t, Rate(1e9).tc("eth0"), "625000")
	require.Equal(t, []string{"tc", "qdisc", "delete", "dev", "eth0", "root"}, Rate(0).tc("eth0"))
}

func TestOtherEndIsFoundByItsNumber(t *testing.T) {
	loopback, err := net.InterfaceByName("lo")
	require.NoError(t, err)
	require.Equal(t, 1, loopback.Index)
	name, err := otherEnd("7: eth0@if1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc tbf")
	require.NoError(t, err)
	require.Equal(t, "lo", name)
	for _, wrong := range []string{"", "7: eth0: <BROADCAST>", "7: eth0@ifx: <UP>", "7: eth0@if1"} {
		_, err := otherEnd(wrong)
		require.Error(t, err, wrong)
	}
}

func TestNoFleetIsUp(t *testing.T) {
	lab := layout.Lab{State: t.TempDir()}
	_, err := Read(lab)
	require.ErrorContains(t, err, "lab fleet up")
	require.ErrorContains(t, Exec(lab, []string{"true"}), "lab fleet up")
}
