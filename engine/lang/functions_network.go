package lang

import (
	"fmt"
	"math/big"
	"net"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
)

func networkFunctions() []entry {
	return []entry{
		{"cidrcontains", network, "Whether an address lies in a network such as \"10.0.0.0/8\".", stringsFn(cty.Bool, func(a []string) (cty.Value, error) {
			p, err := parseNetwork(a[0])
			if err != nil {
				return cty.NilVal, err
			}
			addr, err := netip.ParseAddr(a[1])
			return cty.BoolVal(p.Contains(addr)), err
		}, "network", "address")},
		{"cidrhost", network, "The address with a number in a network; negative numbers count from its end.", numbersFn(func(p netip.Prefix, n []*big.Int) (string, error) { return hostNumber(p, n[0]) }, "number")},
		{"cidrnetmask", network, "The mask of an IPv4 network, such as \"255.0.0.0\".", textFn(func(a []string) (string, error) {
			p, err := parseNetwork(a[0])
			if err == nil && !p.Addr().Is4() {
				err = fmt.Errorf("%s is no IPv4 network", a[0])
			}
			if err != nil {
				return "", err
			}
			return net.IP(net.CIDRMask(p.Bits(), 32)).String(), nil
		}, "network")},
		{"cidrsubnet", network, "A part of a network: its prefix is longer by newbits, and number says which part.", numbersFn(func(p netip.Prefix, n []*big.Int) (string, error) { return subnet(p, n[0], n[1]) }, "newbits", "number")},
	}
}

func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is no network such as \"10.0.0.0/8\"", s)
	}
	return p.Masked(), nil
}

// numbersFn makes a function of a network and whole numbers.
func numbersFn(impl func(p netip.Prefix, n []*big.Int) (string, error), names ...string) function.Function {
	params := []function.Parameter{{Name: "network", Type: cty.String}}
	for _, name := range names {
		params = append(params, function.Parameter{Name: name, Type: cty.Number})
	}
	return function.New(&function.Spec{
		Params: params,
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, err := parseNetwork(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			var numbers []*big.Int
			for i, a := range args[1:] {
				var n big.Int
				if err := gocty.FromCtyValue(a, &n); err != nil {
					return cty.NilVal, function.NewArgErrorf(i+1, "a whole number is required")
				}
				numbers = append(numbers, &n)
			}
			s, err := impl(p, numbers)
			return cty.StringVal(s), err
		},
	})
}

// hostNumber is address n of the network p.
func hostNumber(p netip.Prefix, n *big.Int) (string, error) {
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	if n.Sign() < 0 {
		n = new(big.Int).Add(size, n)
	}
	if n.Sign() < 0 || n.Cmp(size) >= 0 {
		return "", fmt.Errorf("%s has no address of this number: it has %s", p, size)
	}
	return plus(p.Addr(), n).String(), nil
}

// subnet is part n of those that p has with a prefix longer by newbits.
func subnet(p netip.Prefix, newbits, n *big.Int) (string, error) {
	room := p.Addr().BitLen() - p.Bits()
	if newbits.Sign() < 0 || newbits.Cmp(big.NewInt(int64(room))) > 0 {
		return "", fmt.Errorf("%s has room for 0 to %d more bits", p, room)
	}
	bits := int(newbits.Int64())
	if count := new(big.Int).Lsh(big.NewInt(1), uint(bits)); n.Sign() < 0 || n.Cmp(count) >= 0 {
		return "", fmt.Errorf("with %d more bits %s has parts 0 to %s", bits, p, count.Sub(count, big.NewInt(1)))
	}
	offset := new(big.Int).Lsh(n, uint(room-bits))
	return netip.PrefixFrom(plus(p.Addr(), offset), p.Bits()+bits).String(), nil
}

func plus(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).SetBytes(a.AsSlice())
	sum.Add(sum, n)
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8))) // the length is right
	return out
}
