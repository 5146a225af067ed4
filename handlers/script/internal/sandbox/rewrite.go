package sandbox

import (
	"math/big"
	"slices"

	"go.starlark.net/syntax"
)

// The names of the builtins that a rewritten program calls, beside those of operators.
const (
	nameAttr  = "."   // x.name
	nameKey   = "[]"  // a key: in x[key], {key: …}
	nameCopy  = "[:]" // what is about to be copied: in x[a:b], f(*x), f(**x)
	nameDict  = "{}"  // a new dict
	nameStore = "[]=" // x[key] op= y
)

const (
	maxNesting = 200
	tooDeep    = "is nested too deep"
)

// rewriter puts a call of a checked builtin in place of each operation that needs a price.
type rewriter struct {
	fields map[string]bool // of values of the host
	depth  int
	err    *SyntaxError // the first
}

func rewrite(file *syntax.File, fields []string) error {
	r := &rewriter{fields: make(map[string]bool)}
	for _, name := range fields {
		r.fields[name] = true
	}
	r.stmts(file.Stmts)
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *rewriter) refuse(pos syntax.Position, message string) {
	if r.err == nil {
		r.err = syntaxError(pos, message)
	}
}

// enter bounds the depth, for everybody who walks the tree after this.
func (r *rewriter) enter(n syntax.Node) (leave func(), ok bool) {
	if r.depth++; r.depth > maxNesting {
		r.refuse(syntax.Start(n), tooDeep)
	}
	return func() { r.depth-- }, r.err == nil
}

func (r *rewriter) stmts(list []syntax.Stmt) {
	for i := range list {
		list[i] = r.stmt(list[i])
	}
}

func (r *rewriter) stmt(s syntax.Stmt) syntax.Stmt {
	leave, ok := r.enter(s)
	defer leave()
	if !ok {
		return s
	}
	switch s := s.(type) {
	case *syntax.AssignStmt:
		return r.assign(s)
	case *syntax.DefStmt:
		r.params(s.Params)
		r.stmts(s.Body)
	case *syntax.ExprStmt:
		s.X = r.expr(s.X)
	case *syntax.IfStmt:
		s.Cond = r.expr(s.Cond)
		r.stmts(s.True)
		r.stmts(s.False)
	case *syntax.ForStmt:
		s.Vars = r.target(s.Vars)
		s.X = r.expr(s.X)
		r.stmts(s.Body)
	case *syntax.ReturnStmt:
		if s.Result != nil {
			s.Result = r.expr(s.Result)
		}
	case *syntax.BranchStmt:
	case *syntax.LoadStmt:
		r.refuse(s.Load, "load is not available")
	default:
		r.refuse(syntax.Start(s), "this statement is not available")
	}
	return s
}

func (r *rewriter) assign(s *syntax.AssignStmt) syntax.Stmt {
	s.RHS = r.expr(s.RHS)
	if s.Op == syntax.EQ {
		s.LHS = r.target(s.LHS)
		return s
	}
	op := s.Op - syntax.PLUS_EQ + syntax.PLUS
	switch x := bare(s.LHS).(type) {
	case *syntax.Ident:
		value := call(augmented(op.String()), s.OpPos, &syntax.Ident{NamePos: x.NamePos, Name: x.Name}, s.RHS)
		return &syntax.AssignStmt{OpPos: s.OpPos, Op: syntax.EQ, LHS: x, RHS: value}
	case *syntax.IndexExpr:
		name := &syntax.Literal{Token: syntax.STRING, TokenPos: s.OpPos, Value: op.String()}
		return &syntax.ExprStmt{X: call(nameStore, s.OpPos, r.expr(x.X), r.key(x.Y), name, s.RHS)}
	}
	r.refuse(s.OpPos, "cannot assign to this")
	return s
}

func bare(e syntax.Expr) syntax.Expr {
	for {
		p, ok := e.(*syntax.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

// target rewrites what is assigned to.
func (r *rewriter) target(e syntax.Expr) syntax.Expr {
	leave, ok := r.enter(e)
	defer leave()
	if !ok {
		return e
	}
	switch e := e.(type) {
	case *syntax.Ident:
	case *syntax.ParenExpr:
		e.X = r.target(e.X)
	case *syntax.TupleExpr:
		r.each(e.List, r.target)
	case *syntax.ListExpr:
		r.each(e.List, r.target)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), r.key(e.Y)
	default:
		r.refuse(syntax.Start(e), "cannot assign to this")
	}
	return e
}

func (r *rewriter) each(list []syntax.Expr, fn func(syntax.Expr) syntax.Expr) {
	for i := range list {
		list[i] = fn(list[i])
	}
}

// params rewrites the defaults of parameters.
func (r *rewriter) params(params []syntax.Expr) {
	for _, p := range params {
		if p, ok := p.(*syntax.BinaryExpr); ok {
			p.Y = r.expr(p.Y)
		}
	}
}

// key rewrites a key of a dict, or an index.
func (r *rewriter) key(e syntax.Expr) syntax.Expr {
	if _, plain := e.(*syntax.Literal); plain {
		return r.expr(e)
	}
	return call(nameKey, syntax.Start(e), r.expr(e))
}

func (r *rewriter) expr(e syntax.Expr) syntax.Expr {
	leave, ok := r.enter(e)
	defer leave()
	if !ok {
		return e
	}
	switch e := e.(type) {
	case *syntax.Ident:
	case *syntax.Literal:
		r.literal(e)
	case *syntax.ParenExpr:
		e.X = r.expr(e.X)
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = r.expr(e.Cond), r.expr(e.True), r.expr(e.False)
	case *syntax.TupleExpr:
		r.each(e.List, r.expr)
	case *syntax.ListExpr:
		r.each(e.List, r.expr)
	case *syntax.UnaryExpr:
		e.X = r.expr(e.X)
	case *syntax.LambdaExpr:
		r.params(e.Params)
		e.Body = r.expr(e.Body)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), r.key(e.Y)
	case *syntax.SliceExpr:
		return r.slice(e)
	case *syntax.DotExpr:
		return r.attr(e)
	case *syntax.CallExpr:
		return r.call(e)
	case *syntax.BinaryExpr:
		return r.binary(e)
	case *syntax.DictExpr:
		r.each(e.List, r.entry)
		return call(nameDict, e.Lbrace, e)
	case *syntax.Comprehension:
		return r.comprehension(e)
	default:
		r.refuse(syntax.Start(e), "this expression is not available")
	}
	return e
}

func (r *rewriter) literal(e *syntax.Literal) {
	if n, ok := e.Value.(*big.Int); ok && n.BitLen() > maxBits {
		r.refuse(e.TokenPos, tooBig)
	}
	if e.Token == syntax.BYTES {
		r.refuse(e.TokenPos, "bytes are not available")
	}
}

func (r *rewriter) slice(e *syntax.SliceExpr) syntax.Expr {
	e.X = call(nameCopy, e.Lbrack, r.expr(e.X))
	for _, part := range []*syntax.Expr{&e.Lo, &e.Hi, &e.Step} {
		if *part != nil {
			*part = r.expr(*part)
		}
	}
	return e
}

func (r *rewriter) attr(e *syntax.DotExpr) syntax.Expr {
	if name := e.Name.Name; !r.fields[name] && !isMethod(name) {
		r.refuse(e.Name.NamePos, "no value has a field or method "+name)
	}
	name := &syntax.Literal{Token: syntax.STRING, TokenPos: e.Name.NamePos, Value: e.Name.Name}
	return call(nameAttr, e.Dot, r.expr(e.X), name)
}

func (r *rewriter) call(e *syntax.CallExpr) syntax.Expr {
	e.Fn = r.expr(e.Fn)
	for i, arg := range e.Args {
		switch arg := arg.(type) {
		case *syntax.BinaryExpr:
			if arg.Op == syntax.EQ { // a named argument
				arg.Y = r.expr(arg.Y)
				continue
			}
		case *syntax.UnaryExpr:
			if arg.Op == syntax.STAR || arg.Op == syntax.STARSTAR {
				arg.X = call(nameCopy, arg.OpPos, r.expr(arg.X))
				continue
			}
		}
		e.Args[i] = r.expr(arg)
	}
	return e
}

func (r *rewriter) binary(e *syntax.BinaryExpr) syntax.Expr {
	e.X, e.Y = r.expr(e.X), r.expr(e.Y)
	switch {
	case e.Op == syntax.AND || e.Op == syntax.OR:
		return e
	case compares(e.Op) && (isLiteral(e.X) || isLiteral(e.Y)): // as cheap as the literal is short
		return e
	}
	return call(e.Op.String(), e.OpPos, e.X, e.Y)
}

func isLiteral(e syntax.Expr) bool {
	_, ok := e.(*syntax.Literal)
	return ok
}

func (r *rewriter) entry(e syntax.Expr) syntax.Expr {
	entry, ok := e.(*syntax.DictEntry)
	if !ok {
		r.refuse(syntax.Start(e), "sets are not available")
		return e
	}
	entry.Key, entry.Value = r.key(entry.Key), r.expr(entry.Value)
	return entry
}

func (r *rewriter) comprehension(e *syntax.Comprehension) syntax.Expr {
	for _, clause := range e.Clauses {
		switch c := clause.(type) {
		case *syntax.ForClause:
			c.Vars, c.X = r.target(c.Vars), r.expr(c.X)
		case *syntax.IfClause:
			c.Cond = r.expr(c.Cond)
		}
	}
	if !e.Curly {
		e.Body = r.expr(e.Body)
		return e
	}
	e.Body = r.entry(e.Body)
	return call(nameDict, e.Lbrack, e)
}

// call calls a checked builtin.
func call(name string, pos syntax.Position, args ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{
		Fn:     &syntax.Ident{NamePos: pos, Name: name},
		Lparen: pos,
		Args:   slices.Clone(args),
		Rparen: pos,
	}
}
