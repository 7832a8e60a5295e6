/* commands: one function each, in a file of its own; main.c has the table. argv[0] is the command's name.
 * returns exit status: 0 yes, 1 the answer is no, 2 usage or configuration, 3 the world failed; under a borrowed name
 * that program's */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/* signet check FILE [--dump|--posture|--json] */
int command_coredns(int argc, char **argv);
int command_check(int argc, char **argv);
/* signet ask [@SERVER] NAME [TYPE] */
int command_ask(int argc, char **argv);
/* signet verify NAME [TYPE] */
int command_verify(int argc, char **argv);
/* delv [@server] [flags] [domain] [type] */
int command_delv(int argc, char **argv);
/* signet ctl [--socket PATH] [--json] COMMAND */
int command_ctl(int argc, char **argv);
void ctl_help(FILE *to);
/* signet manifests [--mode MODE] ... */
int command_manifests(int argc, char **argv);
void manifests_help(FILE *to);
/* node-cache -localip IP,... -conf FILE ... */
int command_node_cache(int argc, char **argv);
/* Whether a command line, under whatever name, is node-cache's. */
bool node_cache_asked(int argc, char **argv);
/* unbound-checkconf [-hfq] [-o option] [FILE] */
int command_unbound_checkconf(int argc, char **argv);

#endif
