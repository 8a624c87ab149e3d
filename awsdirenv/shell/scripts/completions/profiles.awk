function word(text, i, c, quote, name, words, inside) {
  if (text !~ /[ \t\\"\047]/) return text
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (quote == "" && (c == " " || c == "\t")) { inside = 0; continue }
    if (!inside && words++) return ""
    inside = 1
    if (c == quote) quote = ""
    else if (quote == "" && (c == "\"" || c == "\047")) quote = c
    else if (c == "\\" && quote != "\047") {
      if (++i > length(text)) return ""
      c = substr(text, i, 1)
      name = name (quote == "\"" && c != "\"" && c != "\\" ? "\\" : "") c
    } else name = name c
  }
  return quote == "" ? name : ""
}
function found(name) { if (name != "" && name !~ /^-|[\001-\037\177]/ && !seen[name]++) offer(name) }
!/^\[.+\]/ { next }
{ sub(/^\[/, ""); sub(/\][^]]*$/, "") }
/^(sso-session|services)[ \t]/ { next }
kind == "credentials" || $0 == "default" { found($0); next }
sub(/^profile[ \t]+/, "") { found(word($0)) }
