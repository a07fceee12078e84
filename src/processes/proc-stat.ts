/** The fields of /proc/PID/stat from the third on, proc(5): the second is the program's name, in parentheses, which may hold anything. */
export function statFields(line: string): string[] {
  return line.slice(line.lastIndexOf(')') + 2).split(' ');
}
