package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Secret is a secret block: where a secret comes from. Its text is read by
// ResolveSecrets, and only when something uses it.
type Secret struct {
	Name  string
	Range hcl.Range
	Used  bool // something refers to it

	body     *hclsyntax.Body
	age      *hclsyntax.Body // nil unless it comes from an age file
	refs     []ref
	resolved bool
	value    secret.Value
}

// placeholder stands for every secret while a runbook is checked: a known value
// of the secret type, since misuse of an unknown one would not show.
var placeholder = secret.New("placeholder of a secret").Cty()

var secretSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "env"}, {Name: "file"}, {Name: "generate"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "age"}},
}

var ageSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "file", Required: true}, {Name: "identity"}, {Name: "identity_env"}},
}

func (r *Runbook) addSecret(b *hcl.Block) hcl.Diagnostics {
	s := &Secret{Name: b.Labels[0], Range: b.DefRange, body: b.Body.(*hclsyntax.Body)}
	var first *hcl.Range
	if dup, ok := r.secrets[s.Name]; ok {
		first = &dup.Range
	}
	diags := named(b, "secret", 0, first)
	if first == nil {
		r.secrets[s.Name] = s
		r.Secrets = append(r.Secrets, s)
	}
	content, more := b.Body.Content(secretSchema)
	diags = append(diags, more...)
	s.refs = refsOf(s.body)
	for i, block := range content.Blocks {
		if i > 0 {
			diags = append(diags, fault(block.DefRange.Ptr(), "Second age block", "A secret comes from one file.")...)
			continue
		}
		s.age = block.Body.(*hclsyntax.Body)
		c, more := block.Body.Content(ageSchema)
		diags = append(diags, more...)
		_, file := c.Attributes["identity"]
		_, env := c.Attributes["identity_env"]
		if file == env && !more.HasErrors() {
			diags = append(diags, fault(block.DefRange.Ptr(), "Which identity?", "An age file is decrypted by one identity: write identity = \"path\" or identity_env = \"NAME\".")...)
		}
	}
	if !more.HasErrors() {
		diags = append(diags, s.checkSource(content)...)
	}
	return diags
}

// checkSource insists on exactly one origin.
func (s *Secret) checkSource(content *hcl.BodyContent) hcl.Diagnostics {
	_, env := content.Attributes["env"]
	_, file := content.Attributes["file"]
	_, generate := content.Attributes["generate"]
	switch {
	case generate && file && !env && s.age == nil:
		return nil
	case generate && !file:
		return fault(s.Range.Ptr(), "Where to keep the secret?", "A generated secret is kept in a file: add file = \"path\".")
	}
	origins := 0
	for _, given := range []bool{env, file, generate, s.age != nil} {
		if given {
			origins++
		}
	}
	if origins == 1 {
		return nil
	}
	return fault(s.Range.Ptr(), "Where does the secret come from?", "Write exactly one of env = \"NAME\", file = \"path\", age { … }, or generate = { … } with file = \"path\".")
}

// checkSecrets evaluates the arguments of the secret blocks, without reading
// anything that they name.
func (r *Runbook) checkSecrets() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, s := range r.Secrets {
		own := append(r.checkRefs(s.refs, placeSecret), r.noSteps(s.refs)...)
		diags = append(diags, own...)
		_, more := s.arguments(r.static(s.refs))
		diags = append(diags, outside(more, own)...)
	}
	return diags
}

// origin is what a secret block says.
type origin struct {
	env, file                   string
	ageFile, identity, identEnv string
	generate                    bool
	length                      int
	charset                     string
}

const (
	defaultLength  = 24
	defaultCharset = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
)

func (s *Secret) arguments(ctx *hcl.EvalContext) (origin, hcl.Diagnostics) {
	o := origin{length: defaultLength, charset: defaultCharset}
	var diags hcl.Diagnostics
	read := func(body *hclsyntax.Body, name string, into *string) {
		if attr, ok := body.Attributes[name]; ok {
			*into = evalString(attr.Expr, ctx, name, &diags)
		}
	}
	read(s.body, "env", &o.env)
	read(s.body, "file", &o.file)
	if s.age != nil {
		read(s.age, "file", &o.ageFile)
		read(s.age, "identity", &o.identity)
		read(s.age, "identity_env", &o.identEnv)
	}
	if attr, ok := s.body.Attributes["generate"]; ok {
		o.generate = true
		diags = append(diags, o.readGenerate(attr.Expr, ctx)...)
	}
	return o, diags
}

func (o *origin) readGenerate(expr hclsyntax.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return explain(diags, nil)
	}
	wrong := func(detail string, args ...any) hcl.Diagnostics {
		return fault(expr.Range().Ptr(), "Invalid generate", detail, args...)
	}
	if !v.Type().IsObjectType() || v.IsNull() {
		return wrong("Write generate = { length = 24, charset = \"abc…\" }; both may be left out.")
	}
	for name, field := range v.AsValueMap() {
		switch name {
		case "length":
			n, err := intOf(field)
			if err != nil || n < 8 || n > 4096 {
				return wrong("length is a number from 8 to 4096.")
			}
			o.length = n
		case "charset":
			text, err := stringOf(field)
			if err != nil || len([]rune(text)) < 2 {
				return wrong("charset is a string of at least two characters.")
			}
			o.charset = text
		default:
			return wrong("It has no %q.%s", name, didYouMean(name, []string{"length", "charset"}))
		}
	}
	return nil
}

// secretValues is the root "secret" of expressions.
func (r *Runbook) secretValues(of func(*Secret) cty.Value) cty.Value {
	values := map[string]cty.Value{}
	for name, s := range r.secrets {
		values[name] = of(s)
	}
	return cty.ObjectVal(values)
}
