/** Something on the way between a client and the server, which spoils what it is told to. */

import http from 'node:http';
import net from 'node:net';

export class Gateway {
    /** Requests that came, as `METHOD path`. */
    asked = [];
    /** Whether a WebSocket is let through. */
    upgrades = true;
    /** Whether streams are held back, as a proxy does that gathers replies whole. */
    holdsStreams = false;
    /** Called with each request: `undefined` lets it pass; `'lose'` passes it on and loses the reply; else the reply. */
    spoil = () => undefined;
    #sockets = new Set();
    #isCut = false;

    static async open(test, port) {
        const gateway = new Gateway();
        const server = http.createServer((request, response) => gateway.#pass(port, request, response));
        server.on('upgrade', (request, socket, head) => gateway.#upgrade(port, request, socket, head));
        server.on('connection', (socket) => {
            if (gateway.#isCut) return socket.destroy();
            gateway.#keep(socket);
        });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        gateway.url = `http://127.0.0.1:${server.address().port}`;
        test.after(() => {
            gateway.cut();
            server.close();
        });
        return gateway;
    }

    /** Breaks all connections; new ones too, until it is mended. */
    cut() {
        this.#isCut = true;
        for (const socket of this.#sockets) socket.destroy();
    }

    mend() {
        this.#isCut = false;
    }

    #keep(socket) {
        this.#sockets.add(socket);
        socket.on('close', () => this.#sockets.delete(socket));
        socket.on('error', () => socket.destroy());
    }

    #pass(port, request, response) {
        this.asked.push(`${request.method} ${request.url}`);
        const spoilt = this.spoil(request);
        if (spoilt && spoilt !== 'lose') {
            response.writeHead(spoilt.status, spoilt.headers);
            return response.end(spoilt.body);
        }
        const { method, url: path, headers } = request;
        const onward = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (reply) => {
            if (spoilt === 'lose') {
                reply.resume();
                return reply.on('end', () => request.socket.destroy());
            }
            const isHeld = this.holdsStreams && reply.headers['content-type'] === 'text/event-stream';
            if (isHeld) return reply.resume();
            response.writeHead(reply.statusCode, reply.headers);
            response.flushHeaders();
            reply.on('close', () => reply.complete || request.socket.destroy());
            reply.pipe(response);
        });
        onward.on('error', () => request.socket.destroy());
        response.on('close', () => onward.destroy());
        request.pipe(onward);
    }

    #upgrade(port, request, socket, head) {
        this.asked.push(`UPGRADE ${request.url}`);
        if (!this.upgrades) return socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
        const onward = net.connect(port, '127.0.0.1', () => {
            const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
            onward.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
            onward.write(head);
            socket.pipe(onward).pipe(socket);
        });
        this.#keep(onward);
        onward.on('close', () => socket.destroy());
        socket.on('close', () => onward.destroy());
    }
}
