#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# Texts as words and as numbers, for variables that decide which snapshot it is. Notes are at the end.

_awsdirenv_add_word() {
  local _ad_value=${3//\%/%25}
  _ad_value=${_ad_value// /%20}
  printf -v "$1" %s "${!1}${!1:+ }$2=${_ad_value//$'\n'/%0A}"
}

_awsdirenv_hash() {
  local _ad_text=${1//[!A-Za-z0-9]/_} _ad_signs=${1//[A-Za-z0-9]/} _ad_number=${#1} _ad_prime=1099511628211
  _ad_signs=${_ad_signs//\//a} _ad_signs=${_ad_signs//./b} _ad_signs=${_ad_signs//:/c} _ad_signs=${_ad_signs//-/d}
  _ad_text+=${_ad_signs//[!a-d]/e}000000000000000000000000000000000000000
  while ((${#_ad_text} >= 40)); do
    ((_ad_number = ((((_ad_number ^ 64#${_ad_text:0:10}) * _ad_prime ^ 64#${_ad_text:10:10}) * _ad_prime ^ 64#${_ad_text:20:10}) * _ad_prime ^ 64#${_ad_text:30:10}) * _ad_prime))
    _ad_text=${_ad_text:40}
  done
  printf -v _ad_reply %016x "$_ad_number"
}

_ad_parts+=' text '
return 0

# Notes
#
# - `_awsdirenv_add_word` adds NAME=value to the words in the variable $1.
# - `_awsdirenv_hash` makes a number of a text, in _ad_reply: text_number of awsdirenv/system/text.py. Ten digits to the base of 64 are
#   60 bits. The file that it finds says what it is for.
