# Runs "$2" and its arguments with output appended to the file "$1", under control of whoever holds our stdin:
# each line read is the name of a signal for the command, end of file means that the holder is gone (even by SIGKILL,
# which leaves it no chance to clean up) and kills the command. Prints the command's process id, then exits as it does.
log=$1
shift
exec 3<&0 </dev/null 2>>"$log"
exec "$@" >>"$log" 3<&- &
child=$!
# The shell's own words on how a process ended are not the command's output.
exec 2>/dev/null
(
    exec >/dev/null
    while read -r signal <&3; do kill -s "$signal" "$child"; done
    kill -s KILL "$child"
) &
watcher=$!
echo "$child"
exec >/dev/null 3<&-
wait "$child"
status=$?
kill -s KILL "$watcher"
wait "$watcher"
exit "$status"
