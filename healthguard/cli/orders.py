"""Verbs that change something."""

import argparse
import time
from collections.abc import Mapping
from typing import Any

from healthguard.cli.context import Context
from healthguard.cli.entry import Verb
from healthguard.cli.output import text
from healthguard.control.client import ApiReply, NoAnswer
from healthguard.core import durations
from healthguard.core.codes import Code
from healthguard.views.documents import StatusView
from healthguard.views.model import GateView, PoolView
from healthguard.views.received import received

_SPARE_S = 5.0  # the daemon answers at the end of the wait; its answer may take this long
_POLL_S = 0.2


def duration(value: str) -> int:
    """An argument such as 5m, in milliseconds."""
    try:
        return durations.parse(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# ------------------------------------------------------------------------------------ arguments


def _pool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")


def _timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=duration,
        default=60_000,
        metavar="D",
        help="how long to wait for the outcome, e.g. 90s (default 60s, at most 10m)",
    )


def _pool_upstream(parser: argparse.ArgumentParser) -> None:
    _pool(parser)
    parser.add_argument("upstream", metavar="UPSTREAM")


def _switch_arguments(parser: argparse.ArgumentParser) -> None:
    _pool_upstream(parser)
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="why; it is recorded with the event"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="even to an upstream that is not up; nginx must still confirm it",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the gates and test the switch; change nothing"
    )
    parser.add_argument(
        "--standalone", action="store_true", help="switch without the daemon, under the same lock"
    )
    _timeout(parser)


def _reasoned(parser: argparse.ArgumentParser) -> None:
    _pool(parser)
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="why; it is recorded with the event"
    )


def _rollback_arguments(parser: argparse.ArgumentParser) -> None:
    _reasoned(parser)
    _timeout(parser)


def _approve_arguments(parser: argparse.ArgumentParser) -> None:
    _reasoned(parser)
    parser.add_argument("--id", default="", metavar="N", help="only this proposal, not a newer one")
    _timeout(parser)


def _pools_or_all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pools", nargs="*", metavar="POOL")
    parser.add_argument("--all", action="store_true", help="all pools")


def _pause_arguments(parser: argparse.ArgumentParser) -> None:
    _pools_or_all(parser)
    parser.add_argument(
        "--for", dest="length", type=duration, required=True, metavar="D", help="how long, e.g. 30m"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; others will see it")


def _clear_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", nargs="?", metavar="POOL")
    parser.add_argument("upstream", nargs="?", metavar="UPSTREAM")
    parser.add_argument("--all", action="store_true", help="all marks (of POOL, if given)")


def _reload_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait until pools in the middle of a switch use the new configuration too",
    )
    _timeout(parser)


# ------------------------------------------------------------------------------------ doing it


def _switch(args: argparse.Namespace, context: Context) -> int:
    if args.standalone:
        return _standalone(args, context)
    body: dict[str, object] = {"to": args.upstream}
    if args.reason:
        body["reason"] = args.reason
    if args.force:
        body["force"] = True
    if args.dry_run:
        body["dry_run"] = True
    return _order(context, args.pool, "switch", body, args.timeout)


def _standalone(args: argparse.Namespace, context: Context) -> int:
    from healthguard.standalone import switch as standalone

    outcome = standalone.switch(
        context.config_path(), args.pool, args.upstream, args.reason, args.force, args.dry_run
    )
    if context.json:
        context.output.json({**outcome.data, "exit_code": outcome.code, "message": outcome.message})
    elif outcome.code == Code.OK:
        _say_done(context, outcome.message, outcome.data)
    if outcome.code != Code.OK:
        context.say_outcome(outcome.code, outcome.error, outcome.message, args.pool, args.upstream)
    return int(outcome.code)


def _rollback(args: argparse.Namespace, context: Context) -> int:
    body = {"reason": args.reason} if args.reason else {}
    return _order(context, args.pool, "rollback", body, args.timeout)


def _approve(args: argparse.Namespace, context: Context) -> int:
    given = {"id": args.id, "reason": args.reason}
    body = {name: value for name, value in given.items() if value}
    return _order(context, args.pool, "approve", body, args.timeout)


def _reject(args: argparse.Namespace, context: Context) -> int:
    body = {"reason": args.reason} if args.reason else {}
    return _order(context, args.pool, "reject", body)


def _pause(args: argparse.Namespace, context: Context) -> int:
    body = {"for": durations.written(args.length), "reason": args.reason}
    return _each(args, context, "pause", body)


def _resume(args: argparse.Namespace, context: Context) -> int:
    return _each(args, context, "resume", {})


def _ack(args: argparse.Namespace, context: Context) -> int:
    return _order(context, args.pool, "ack", {})


def _good(args: argparse.Namespace, context: Context) -> int:
    return _order(context, args.pool, "good", {"upstream": args.upstream})


def _clear(args: argparse.Namespace, context: Context) -> int:
    if args.all and args.upstream is None:
        return _clear_all(args, context)
    if args.all or args.upstream is None:
        context.output.error("healthguard clear: name POOL UPSTREAM, or [POOL] --all")
        return Code.USAGE
    return _order(context, args.pool, "clear", {"upstream": args.upstream})


def _clear_all(args: argparse.Namespace, context: Context) -> int:
    pools = _pools(context, args.pool)
    if isinstance(pools, int):
        return pools
    marked = [
        (pool, upstream)
        for pool, view in pools.items()
        for upstream, each in view.upstreams.items()
        if each.known_bad
    ]
    if not marked:
        _say_unmarked(context)
    codes = [_order(context, pool, "clear", {"upstream": name}) for pool, name in marked]
    return max(codes, default=Code.OK)


def _pools(context: Context, only: str | None = None) -> Mapping[str, PoolView] | int:
    """Every pool, or one. An exit code in place of an answer that was not a good one."""
    reply = context.read("pools", only) if only else context.read("status")
    if isinstance(reply, int):
        return reply
    if only:
        view = context.understood(PoolView, reply)
        return view if isinstance(view, int) else {only: view}
    status = context.understood(StatusView, reply)
    return status if isinstance(status, int) else status.pools


def _say_unmarked(context: Context) -> None:
    said = "no upstream is known bad"
    if context.json:
        context.output.json(
            {"cleared": [], "outcome": "done", "exit_code": Code.OK, "message": said}
        )
    else:
        context.output.line(said)


def _each(args: argparse.Namespace, context: Context, verb: str, body: dict[str, object]) -> int:
    """The same order for several pools; the worst outcome is the exit code."""
    if bool(args.pools) == args.all:
        context.output.error(f"healthguard {verb}: name POOL..., or --all")
        return Code.USAGE
    pools = args.pools
    if args.all:
        reply = context.read("status")
        if isinstance(reply, int):
            return reply
        pools = reply.body.get("pools") or ()  # only names: true of every version
    return max(
        [_order(context, pool, verb, body) for pool in dict.fromkeys(pools)], default=Code.OK
    )


def _reload(args: argparse.Namespace, context: Context) -> int:
    deadline = time.monotonic() + args.timeout / 1_000
    code = _send(context, ("reload",), {}, args.timeout, "")
    while code == Code.OK and args.wait:
        pools = _pools(context)
        if isinstance(pools, int):
            return pools
        busy = [text(name) for name, view in pools.items() if view.phase == "switching"]
        if not busy:
            return Code.OK
        if time.monotonic() > deadline:
            context.output.error(f"still waiting for the switch of {', '.join(busy)} to end")
            return Code.WAITING
        time.sleep(_POLL_S)
    return code


def _order(
    context: Context, pool: str, verb: str, body: Mapping[str, object], wait_ms: int = 60_000
) -> int:
    return _send(context, ("pools", pool, verb), body, wait_ms, pool)


def _send(
    context: Context, parts: tuple[str, ...], body: Mapping[str, object], wait_ms: int, pool: str
) -> int:
    client = context.client()
    try:
        reply = client.post(
            *parts,
            body=body,
            wait=durations.written(wait_ms),
            timeout_s=wait_ms / 1_000 + _SPARE_S,
        )
    except KeyboardInterrupt:
        context.output.error("stopped waiting; what has begun goes on")
        return Code.INTERRUPTED
    if isinstance(reply, NoAnswer):
        return _no_outcome(context, client.path, reply, pool) or context.no_answer(client, reply)
    if context.json:
        context.output.json(reply.body)
    if reply.body.get("exit_code") == Code.WAITING:
        return _waiting(context, reply, pool)
    if reply.status != 200:
        if not context.json:
            _say_gates(context, reply.body)
        return context.refused(reply, pool, str(body.get("to", "")))
    if not context.json:
        _say_done(context, reply.body.get("message"), reply.body, pool)
    return Code.OK


def _no_outcome(context: Context, path: object, trouble: NoAnswer, pool: str) -> int:
    """The order was sent and no outcome came back: it may well be carried out. 0: not so."""
    if not trouble.sent:
        return 0
    context.output.error(
        f"healthguard: the order was sent to {path}, but no outcome came back: {trouble.message}\n"
        f"  it may have been carried out; check: healthguard why {pool}".rstrip()
    )
    return Code.WAITING


def _waiting(context: Context, reply: ApiReply, pool: str) -> int:
    name = text(reply.body.get("id"))
    context.output.error(
        f"waiting: {name}: {text(reply.body.get('message'))}\n"
        f"  follow it: healthguard history {pool} --follow"
    )
    if not context.json:
        context.output.line(name)
    return Code.WAITING


def _say_done(context: Context, message: object, data: Mapping[str, Any], pool: str = "") -> None:
    prefix = f"{pool}: " if pool else ""
    context.output.line(f"{prefix}{text(message) if message else 'done'}")
    for warning in data.get("warnings") or ():
        context.output.error(f"warning: {text(warning)}")
    _say_gates(context, data)


def _say_gates(context: Context, data: Mapping[str, Any]) -> None:
    gates = [received(GateView, each) for each in data.get("gates") or ()]
    if gates:
        from healthguard.cli.render_why import gate_lines

        for line in gate_lines(context.output, gates):
            context.output.line(line)


VERBS: Mapping[str, Verb] = {
    "switch": Verb(
        _switch_arguments, _switch, "healthguard switch threader green --reason 'release 42'"
    ),
    "rollback": Verb(
        _rollback_arguments,
        _rollback,
        "healthguard rollback threader --reason 'errors in checkout'",
    ),
    "approve": Verb(_approve_arguments, _approve, "healthguard approve threader"),
    "reject": Verb(
        _reasoned, _reject, "healthguard reject threader --reason 'repairing it in place'"
    ),
    "pause": Verb(
        _pause_arguments, _pause, "healthguard pause threader --for 30m --reason 'database upgrade'"
    ),
    "resume": Verb(_pools_or_all, _resume, "healthguard resume threader"),
    "ack": Verb(_pool, _ack, "healthguard ack threader"),
    "good": Verb(_pool_upstream, _good, "healthguard good threader blue"),
    "clear": Verb(_clear_arguments, _clear, "healthguard clear threader green"),
    "reload": Verb(_reload_arguments, _reload, "healthguard reload --wait"),
}
