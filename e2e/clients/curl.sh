#!/usr/bin/env bash
# Follows a stream with curl and prints a line for each event: its name, a tab,
# its data. curl does not come back by itself, so this does what the standard asks of
# a client: the id counts once the event is complete, retry: says when to return.
#
#   curl.sh URL CA.pem
set -u
id='' retry=1000
while true; do
  header=()
  [ -n "$id" ] && header=(-H "Last-Event-ID: $id")
  event='' data='' next=$id
  while IFS= read -r line; do
    case $line in
      '') [ -n "$event" ] && printf '%s\t%s\n' "$event" "$data"
          id=$next event='' data='' ;;
      event:\ *) event=${line#event: } ;;
      data:\ *) data=${line#data: } ;;
      id:\ *) next=${line#id: } ;;
      retry:\ *) retry=${line#retry: } ;;
    esac
  done < <(exec curl -sN --cacert "$2" "${header[@]}" "$1")
  sleep "$(printf '%d.%03d' $((retry / 1000)) $((retry % 1000)))"
done
