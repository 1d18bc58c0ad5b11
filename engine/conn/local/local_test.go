package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThisMachineKeepsTheContract(t *testing.T) {
	conntest.Suite(t, func(*testing.T) conn.Host { return local.New() })
}
