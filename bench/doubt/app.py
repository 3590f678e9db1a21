"""An app that takes its time: ``app.py HOST PORT MS SLOW_MS``, every answer is 200.

It is busy with a check for a good part of the time, so that trouble often hits one under way.
SIGUSR1 makes it slow, SIGUSR2 quick again.
"""

import asyncio
import contextlib
import signal
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


async def main(host: str, port: int, usual_s: float, slow_s: float) -> None:
    delay_s = usual_s

    def take(seconds: float) -> None:
        nonlocal delay_s
        delay_s = seconds

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(delay_s)
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, take, slow_s)
    loop.add_signal_handler(signal.SIGUSR2, take, usual_s)
    server = await asyncio.start_server(serve, host, port, backlog=512)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    usual, slow = (int(each) / 1000 for each in sys.argv[3:5])
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), usual, slow))
