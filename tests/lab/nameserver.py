"""A nameserver with a temper: per name an address, a delay, a code, or silence."""

import socket
import threading
import time

from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord


class Nameserver:
    """Answers on UDP port 53 of `address` until the process ends.

    `records`: name (no last dot) to addresses. `delay` seconds before each answer; `silent`: True, or the names (or
    `AAAA`) never answered; `rcode` for names it does not know; `racing`: of two questions that come from one socket at
    once the second is lost, as in a connection-tracking race.
    """

    def __init__(self, address, records=None, *, delay=0.0, silent=False, rcode="NXDOMAIN", racing=False):
        self.racing, self.pending = racing, set()
        self.records, self.delay, self.silent, self.rcode = records or {}, delay, silent, rcode
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            packet, peer = self.socket.recvfrom(4096)
            if self.racing and peer in self.pending:
                continue
            self.pending.add(peer)
            threading.Thread(target=self.answer, args=(packet, peer), daemon=True).start()

    def answer(self, packet, peer):
        request = DNSRecord.parse(packet)
        name, rdtype = str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        self.asked.append((name, rdtype))
        if self.silent is True or (self.silent and {name, rdtype} & set(self.silent)):
            return
        time.sleep(self.delay)
        reply = request.reply()
        if name not in self.records:
            reply.header.rcode = getattr(RCODE, self.rcode)
        for address in self.records.get(name, ()):
            v6 = ":" in address
            if rdtype == ("AAAA" if v6 else "A"):
                reply.add_answer(
                    RR(request.q.qname, getattr(QTYPE, rdtype), ttl=60, rdata=(AAAA if v6 else A)(address))
                )
        self.pending.discard(peer)
        self.socket.sendto(reply.pack(), peer)
