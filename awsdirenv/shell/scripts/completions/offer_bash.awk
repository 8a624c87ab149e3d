function offer(name, i, c, text) {
  if (substr(name, 1, length(current)) != current) return
  name = substr(name, length(head) + 1)
  if (style == "") { gsub(/[] !"#$&\047()*:;<=>?[\\^`{|}~]/, "\\\\&", name); text = name }
  else for (i = 1; i <= length(name); i++) {
    c = substr(name, i, 1)
    if (style == "\047") { if (c == "\047") c = "\047\\\047\047" }
    else if (c == "!") c = "\"\\!\""
    else if (c ~ /["$`\\]/) c = "\\" c
    text = text c
  }
  print lead text
}
BEGIN { current = ENVIRON["current"]; head = ENVIRON["head"]; lead = ENVIRON["lead"]; style = ENVIRON["style"] }
