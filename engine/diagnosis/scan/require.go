package scan

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrase is a piece of a regular expression that is plain words with white
// space between them. Whatever the expression matches contains it.
type phrase struct {
	words []word
	key   int  // the word that is searched for
	leads bool // a match begins with it
}

type word struct {
	Literal
	apart bool // white space stands before it; else there may be some
}

// How much a phrase must have to be worth looking for, and how many phrases of
// which any one must be there are not too many.
const (
	shortestKey = 2
	mostPhrases = 64
)

// required gives phrases one of which is in every text that the expression
// matches; none when there is no telling.
func required(expression string) []phrase {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	return best(tree)
}

// best gives the most telling phrases of a part.
func best(re *syntax.Regexp) []phrase {
	b := &builder{}
	b.add(re)
	b.end()
	var found []phrase
	for _, choice := range b.choices {
		if weight(choice) > weight(found) {
			found = choice
		}
	}
	return found
}

// weight is how telling phrases are: as the least of them.
func weight(phrases []phrase) int {
	if len(phrases) == 0 || len(phrases) > mostPhrases {
		return 0
	}
	least := 1 << 20
	for _, p := range phrases {
		// The key decides how often there is something to check, the other words
		// how often the expression must be asked.
		w := 4 * worth(p.words[p.key].Text)
		for _, other := range p.words {
			w += len(other.Text)
		}
		least = min(least, w)
	}
	return least
}

// builder goes through a concatenation and gathers what each part requires.
type builder struct {
	choices [][]phrase
	words   []word // of the phrase that is growing
	blank   bool   // there must be white space before the next word
	joined  bool   // the next literal continues the last word
	moved   bool   // something comes before the phrase that is growing
}

func (b *builder) add(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.literal(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			b.add(sub)
		}
	case syntax.OpCapture:
		b.add(re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		// Without width, but what it asks for may be before a match.
		b.moved = b.moved || len(b.words) == 0
	case syntax.OpPlus, syntax.OpStar, syntax.OpQuest, syntax.OpRepeat, syntax.OpCharClass:
		b.several(re)
	case syntax.OpAlternate:
		b.end()
		b.choose(alternatives(re))
	default:
		b.end()
		b.moved = true
	}
}

// choose adds phrases that are found by themselves, and goes on behind them.
func (b *builder) choose(phrases []phrase) {
	for n := range phrases {
		phrases[n].leads = phrases[n].leads && !b.moved
	}
	b.choices = append(b.choices, phrases)
	b.moved = true
}

func (b *builder) several(re *syntax.Regexp) {
	sub := re
	if re.Op != syntax.OpCharClass {
		sub = re.Sub[0]
	}
	atLeastOnce := re.Op == syntax.OpCharClass || re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Min > 0
	if isBlank(sub) {
		b.blank = b.blank || atLeastOnce
		b.joined = false
		b.moved = b.moved || len(b.words) == 0
		return
	}
	b.end()
	if atLeastOnce && re.Op != syntax.OpCharClass {
		b.choose(best(sub))
	}
	b.moved = true
}

// alternatives gives the phrases of all branches; none if a branch has none.
func alternatives(re *syntax.Regexp) []phrase {
	var all []phrase
	for _, sub := range re.Sub {
		one := best(sub)
		if one == nil || len(all)+len(one) > mostPhrases {
			return nil
		}
		all = append(all, one...)
	}
	return all
}

// isBlank knows classes of nothing but white space.
func isBlank(re *syntax.Regexp) bool {
	if re.Op == syntax.OpLiteral {
		return len(re.Rune) == 1 && re.Rune[0] == ' '
	}
	if re.Op != syntax.OpCharClass || len(re.Rune) == 0 {
		return false
	}
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if !strings.ContainsRune("\t\n\v\f\r ", r) {
				return false
			}
		}
	}
	return true
}

// literal adds runes, and breaks them where text may have them in another form.
func (b *builder) literal(runes []rune, fold bool) {
	for _, r := range runes {
		switch {
		case strings.ContainsRune("\t\n\f\r ", r):
			b.blank, b.joined = true, false
			b.moved = b.moved || len(b.words) == 0
		case elsewise(r, fold):
			b.end()
			b.moved = true
		case b.joined && b.words[len(b.words)-1].Fold == fold:
			b.words[len(b.words)-1].Text += string(r)
		default:
			// A word may directly follow one that is compared in another way.
			b.words = append(b.words, word{Literal{string(r), fold}, b.blank})
			b.blank, b.joined = false, true
		}
	}
}

// elsewise knows the characters that JSON escapes, that invalid text turns
// into, and that have other cases than those of ASCII.
func elsewise(r rune, fold bool) bool {
	return strings.ContainsRune(`"\<>&`, r) || r < ' ' || r == utf8.RuneError || fold && r > unicode.MaxASCII
}

// end ends the phrase that is growing.
func (b *builder) end() {
	p := phrase{words: b.words, leads: !b.moved}
	b.moved = b.moved || len(b.words) > 0
	b.words, b.blank, b.joined = nil, false, false
	for n, w := range p.words {
		if worth(w.Text) > worth(p.words[p.key].Text) {
			p.key = n
		}
	}
	if len(p.words) > 0 && len(p.words[p.key].Text) >= shortestKey {
		b.choices = append(b.choices, []phrase{p})
	}
}

// Where a phrase begins, if it is there: a position, or one of these.
const (
	nowhere = -1
	unknown = -2
)

// near looks for the words around the key, which is at position at of text, and
// gives where the phrase begins. The end of a line may be in the middle of a
// phrase, and white space may be written as JSON does; then the expression must
// tell.
func (p *phrase) near(text []byte, at int) int {
	key := &p.words[p.key]
	if !key.is(text[at:at+len(key.Text)]) || !p.after(text, at+len(key.Text)) {
		return nowhere
	}
	return p.before(text, at)
}

func (p *phrase) after(text []byte, i int) bool {
	for n := p.key + 1; n < len(p.words); n++ {
		w := &p.words[n]
		from := i
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		if i == len(text) || text[i] == '\n' || text[i] == '\\' {
			return true
		}
		if w.apart && i == from || i+len(w.Text) > len(text) || !w.is(text[i:i+len(w.Text)]) {
			return false
		}
		i += len(w.Text)
	}
	return true
}

func (p *phrase) before(text []byte, i int) int {
	for n := p.key - 1; n >= 0; n-- {
		w := &p.words[n]
		to := i
		for i > 0 && isSpace(text[i-1]) {
			i--
		}
		if i == 0 || text[i-1] == '\n' || i > 1 && text[i-2] == '\\' {
			return unknown
		}
		if p.words[n+1].apart && i == to || i < len(w.Text) || !w.is(text[i-len(w.Text):i]) {
			return nowhere
		}
		i -= len(w.Text)
	}
	return i
}

// isSpace knows the white space within a line.
func isSpace(c byte) bool { return c == ' ' || c != '\n' && '\t' <= c && c <= '\r' }
