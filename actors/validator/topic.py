"""Rough subjects of a text, by words that belong to one subject only (English and Spanish)."""

from collections.abc import Iterable, Mapping

_SOURCE: Mapping[str, str] = {
    "cooking": """bake baking baked oven flour butter sugar recipe preheat tablespoon teaspoon
        cup simmer garlic onion sauce dough whisk boil fry salt pepper cook cooking cooked soup
        stir egg cheese pizza cake chicken rice pasta ingredient pancake bread dinner lunch
        breakfast meal snack food dish salad vegetable potato tomato olive oil lemon chocolate
        cream flavor flavour delicious taste tasty kitchen restaurant roast grill cookie pan
        milk horno harina mantequilla azucar receta cucharada cucharadita taza ajo cebolla
        salsa masa batir hervir freir sal pimienta cocinar cocina sopa huevo queso tarta pastel
        pollo arroz ingrediente cena almuerzo desayuno comida plato ensalada verdura patata
        tomate aceite oliva limon leche sarten hornea hornear tortilla paella gazpacho
        restaurante coffee cafe tea vino wine
        cafetera olla cazuela nevera fridge kettle bicarbonate saucepan""",
    "sport": """football soccer basketball tennis player worldcup champion match league goal
        coach championship stadium scored tournament athlete olympic marathon swim swimming
        rugby golf cricket referee futbol baloncesto tenis jugador partido liga gol entrenador
        campeonato estadio torneo atleta olimpico maraton natacion arbitro portero delantero""",
    "finance": """stock share investor bank interest loan inflation bond dividend
        mortgage budget tax economy money currency saving investment price dollar euro debt
        revenue bolsa accion inversor banco prestamo inflacion dividendo hipoteca presupuesto
        impuesto economia dinero moneda ahorro ahorrar inversion precio dolar peso deuda
        ingreso credit credito""",
    "weather": """rain sunny weather forecast cloudy cloud temperature wind storm snow humid
        hurricane rainbow climate lluvia soleado clima pronostico nublado nube temperatura
        viento tormenta nieve huracan arcoiris llover""",
    "code": """function variable compiler array loop string integer python javascript java
        algorithm database query server api recursion programming software html css css3 sql
        git commit branch docker linux debug compile class method object typescript rust
        kubernetes async boolean regex framework backend frontend programmer funcion compilador
        arreglo bucle cadena entero metodo algoritmo consulta servidor programar programacion
        recursividad programador""",
    "computing": """computer laptop browser internet wifi router password phone smartphone app
        email website keyboard screen processor memory quantum qubit network encryption file
        folder ordenador computadora navegador contrasena telefono movil aplicacion teclado
        pantalla procesador red archivo carpeta impresora printer""",
    "animals": """cat dog bird whale lion tiger elephant penguin fish fur species mammal puppy
        kitten horse cow pet wolf bear shark insect bee butterfly dolphin snake monkey feather
        nest reptile gato perro pajaro ballena leon tigre elefante pinguino pez mamifero
        especie cachorro caballo vaca mascota lobo oso tiburon insecto abeja mariposa delfin
        serpiente mono pluma nido ave camello camel""",
    "space": """planet moon star galaxy orbit solar astronaut telescope universe rocket nasa
        comet asteroid mars jupiter saturn planeta luna estrella galaxia orbita astronauta
        telescopio universo cohete cometa asteroide marte cosmos""",
    "history": """war empire king queen revolution century roman ancient dynasty treaty pharaoh
        soldier battle army medieval conquest napoleon colony guerra imperio rey reina
        revolucion siglo romano antiguo dinastia tratado faraon soldado batalla ejercito
        conquista colonia monarchy monarquia""",
    "travel": """hotel flight airport beach tourist luggage passport vacation holiday
        sightseeing museum vuelo aeropuerto playa turista equipaje pasaporte vacaciones museo
        tren train station madrid paris london rome lisbon barcelona sevilla londres platform
        viaje viajar cathedral catedral alcazar""",
    "geography": """capital country continent river mountain ocean island desert population
        city border peninsula coast lake valley rainforest amazon pais continente rio montana
        oceano isla desierto poblacion ciudad frontera costa lago valle selva amazonas volcano
        volcan earthquake terremoto eruption erupcion lava magma tectonic tectonica everest""",
    "health": """doctor disease patient symptom medicine vaccine blood muscle exercise vitamin
        sleep flu fever cough headache virus bacteria infection heart immune pain surgery diet
        hospital treatment yoga meditation stress medico enfermedad paciente sintoma medicina
        vacuna sangre musculo ejercicio vitamina gripe fiebre tos infeccion corazon inmunitario
        dolor cirugia dieta tratamiento dormir sueno""",
    "biology": """cell photosynthesis chlorophyll mitochondria dna protein enzyme gene
        evolution organism celula fotosintesis clorofila mitocondria adn proteina enzima gen
        evolucion organismo oxygen oxigeno""",
    "physics": """gravity force energy mass electron atom particle velocity relativity photon
        magnet molecule chemical acid gas liquid boil boiling reaction friction gravedad fuerza
        energia atomo particula velocidad relatividad foton iman molecula quimico acido liquido
        reaccion""",
    "music": """guitar piano song concert melody band orchestra violin singer album chord
        guitarra cancion concierto melodia banda orquesta cantante acorde musica music musician
        musico""",
    "art": """painting painter novel poet poem sculpture author film movie actor director
        cinema shakespeare cuadro pintor pintura novela poeta poema escultura autor pelicula
        cine escritor writer painted pinto picasso terror""",
    "selling": """discount offer buy subscribe click sale shipping warranty customer purchase
        descuento oferta compra suscribete clic envio garantia cliente""",
    "cars": """car engine tire brake vehicle gasoline fuel motor mechanic driver jack wheel lug
        piston coche neumatico freno vehiculo gasolina combustible mecanico conductor rueda
        gato volante""",
    "garden": """plant soil seed garden watering flower tree leaf root fertilizer prune rose
        planta suelo semilla jardin regar riego flor arbol hoja raiz abono podar""",
    "maths": """equation triangle circle angle algebra fraction polynomial derivative integral
        theorem radius diameter multiply divide subtraction addition ecuacion triangulo circulo
        angulo fraccion polinomio derivada teorema radio diametro multiplicar dividir suma
        resta area perimeter perimetro""",
    "games": """chess pawn checkmate bishop rook board poker dice player opponent videogame
        ajedrez peon alfil torre tablero dado oponente videojuego""",
    "politics": """election vote president parliament law senate minister congress constitution
        democracy court judge eleccion voto votar presidente parlamento ley senado ministro
        congreso constitucion democracia tribunal juez gobierno government""",
    "work": """interview resume job career salary boss office employee meeting entrevista
        curriculum empleo carrera sueldo jefe oficina empleado reunion contrato contract""",
    "home": """furniture sofa bed wardrobe carpet paint wall cleaning laundry mueble cama
        armario alfombra pared limpieza lavadora colada""",
    "scenery": """sunset hills sunlight breeze whispered horizon meadow grandmother grandfather
        fire candlelit moonlight atardecer colinas brisa susurro horizonte pradera abuela
        abuelo fogata walked smiled""",
}
# Subjects that one answer may well touch together.
_NEIGHBOURS = (
    "cooking health", "cooking selling", "cooking garden", "cooking animals", "cooking travel",
    "cooking home", "cooking physics", "cooking biology", "cooking geography", "sport health",
    "sport games", "sport history", "sport work", "finance selling", "finance politics",
    "finance work", "finance history", "finance cars", "finance maths", "finance computing",
    "weather space", "weather geography", "weather physics", "weather travel", "weather garden",
    "weather scenery", "code computing", "code maths", "code games", "code work", "computing games",
    "computing physics", "computing selling", "computing work", "animals biology",
    "animals geography", "animals garden", "animals health", "animals home", "space physics",
    "space history", "space geography", "history politics", "history geography", "history art",
    "history travel", "history work", "travel geography", "travel art", "travel selling",
    "geography physics", "geography politics", "geography biology", "geography garden",
    "health biology", "health work", "health physics", "health home", "biology physics",
    "biology garden", "physics maths", "physics cars", "music art", "music games", "selling cars",
    "selling home", "selling work", "politics work", "home garden", "scenery art",
    "scenery garden", "scenery geography", "scenery travel", "art games", "music sport", "art work",
    "cars home", "cars work", "maths games", "politics health", "computing home", "space art",
)  # fmt: skip
_RELATED = frozenset(frozenset(pair) for pair in (tuple(names.split()) for names in _NEIGHBOURS))


def singular(word: str) -> str:
    """`word` without the ending of an English or Spanish plural; short words as they are."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):  # noqa: PLR2004
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1]


TOPIC_OF: Mapping[str, str] = {
    singular(word): topic for topic, text in _SOURCE.items() for word in text.split()
}


def topics_of(words: Iterable[str]) -> dict[str, int]:
    """For each subject, how many different words of it are among the folded `words`."""
    topics: dict[str, int] = {}
    for word in {singular(word) for word in words}:
        topic = TOPIC_OF.get(word) or TOPIC_OF.get(word.removesuffix("e"))
        if topic:
            topics[topic] = topics.get(topic, 0) + 1
    return topics


def are_far_apart(first: Iterable[str], second: Iterable[str]) -> bool:
    """True where no subject of one is a subject of the other, or near one."""
    others = set(second)
    return not any(
        topic in others or any(frozenset((topic, other)) in _RELATED for other in others)
        for topic in first
    )
